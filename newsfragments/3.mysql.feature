Protocol `mysql`: the client/server protocol of MySQL and MariaDB, with prepared statements, several results, local
files, long packets, authentication dialogues and the compressed protocol. Rules can name statements, commands and
tables; errors have the number, SQLSTATE and words of the server, and leave the backend as the client believes it to be.
