//! Stories told through the front door.
