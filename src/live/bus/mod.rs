//! Wake-ups: signals that there is something new to read, without the content. Losing one loses no event, because the
//! hub also reads the log every second.

mod redis;
mod wakeup;

#[cfg(test)]
pub(super) use self::wakeup::WakeupSource;
pub use self::{
    redis::{Link, probe},
    wakeup::{Bus, Wakeup},
};
