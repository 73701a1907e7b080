//! Attacks on a server in a process of its own. Each file contains one kind of attack. While an attack runs, two users
//! exchange messages, and the server's memory, file descriptors and processor time are measured: see [`target`].
//!
//! An attack is a future that runs until it is stopped. `HEDDLE_TEST_ATTACK=SECONDS` extends it (`just attacks`), and
//! `HEDDLE_TEST_BINARY=PATH` attacks another build of the server.

mod connections;
mod dribble;
mod figures;
mod frames;
mod lockout;
mod profiles;
mod rendering;
mod target;
mod victims;
