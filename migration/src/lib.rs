//! Heddle's tables: the list of steps, one file each. Never imports the server.
