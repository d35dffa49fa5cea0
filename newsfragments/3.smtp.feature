Protocol `smtp`: SMTP with pipelining, chunks, AUTH dialogues and STARTTLS (or without its offer), and LMTP. Rules can name
commands, mailboxes and contents; whatever is refused, client and server stay in step.
