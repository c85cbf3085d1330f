"""What does an operator type? The command `tokenserver`: a client of the admin API, and of nothing else of the server.

    root            the commands by name; each is loaded when it is typed, so that the command starts at once
    commands/       one file per group that has something of its own; `building` makes the others from `resources`
    session         what every command is given: where the server is, how answers are shown, whether to ask first
    connection      from which place the address and the credential come (`profiles`), and never a mixture of two
    admin           the admin API: a token in memory, problem documents turned into `failures`; over `transport`
    screen          what is shown: tables for people (`tables`), JSON for scripts, nothing that steers a terminal
    secret_file     where a secret goes that is seen once
    declaration     what a file for `apply` says; `planning` compares, `carrying_out` does it

Needs the extra `cli`. A secret is never an argument, where every user of the machine could read it.
"""
