"""What may be asked for, at whichever door? The forms of requests: fields, bodies, selections and pages of lists."""
