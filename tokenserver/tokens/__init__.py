"""What does a token say, and is it good? Pure: JSON Web Signatures over PyJWT's algorithms, no network, no clock."""
