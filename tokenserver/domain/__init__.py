"""What is a credential, and what may it do? Pure rules on frozen values; standard library only."""
