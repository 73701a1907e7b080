//! How often one network address may fail to sign in, or register. Kept in memory, per node.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
    num::NonZeroU32,
    time::Duration,
};

use governor::{
    Quota, RateLimiter, clock, middleware::NoOpMiddleware, nanos::Nanos, state::StateStore,
};
use moka::{ops::compute::Op, sync::Cache};

use crate::{clock::Clock, config::Mode, error::Error};

/// Addresses remembered; beyond them the least tried are forgotten.
const ADDRESSES: u64 = 100_000;
/// An address is forgotten after this time without a try, longer than any quota takes to refill.
const FORGET_AFTER: Duration = Duration::from_hours(1);
/// Both quotas refill at this pace.
const REFILL_PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);
/// Failed sign-ins in a row; with the refill, about 20 in 10 minutes.
const FAILED_SIGN_INS: NonZeroU32 = NonZeroU32::MIN.saturating_add(19);
/// Registrations in a row.
const REGISTRATIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(5);
/// The part of an IPv6 address that one subscriber chooses freely.
const HOST_BITS: u32 = 64;

/// The throttles of one node.
#[derive(Debug)]
pub struct RateLimits {
    /// Failed sign-ins; successful ones are free.
    pub failed_sign_ins: RateLimit,
    /// Registrations.
    pub registrations: RateLimit,
}

impl RateLimits {
    /// In development one's own machine is not throttled: everybody there has the same address.
    #[must_use]
    pub fn new(clock: &Clock, mode: Mode) -> Self {
        let spare_loopback = mode == Mode::Development;
        Self {
            failed_sign_ins: RateLimit::new(FAILED_SIGN_INS, clock, spare_loopback),
            registrations: RateLimit::new(REGISTRATIONS, clock, spare_loopback),
        }
    }
}

type Limiter = RateLimiter<(IpAddr, Ask), Store, Ticks, NoOpMiddleware<Duration>>;

/// A quota for each network address.
pub struct RateLimit {
    limiter: Limiter,
    spare_loopback: bool,
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Throttle").finish_non_exhaustive()
    }
}

impl RateLimit {
    fn new(burst: NonZeroU32, clock: &Clock, spare_loopback: bool) -> Self {
        let quota = Quota::per_minute(REFILL_PER_MINUTE).allow_burst(burst);
        let cache = Cache::builder()
            .max_capacity(ADDRESSES)
            .time_to_idle(FORGET_AFTER)
            .build();
        Self {
            limiter: RateLimiter::new(quota, Store(cache), Ticks(clock.clone())),
            spare_loopback,
        }
    }

    /// Uses up one try of this address; `RATE_LIMITED` when there is none left. Without an address the
    /// call came from inside and is not throttled.
    pub fn take(&self, address: Option<IpAddr>) -> Result<(), Error> {
        self.ask(address, Ask::Take)
    }

    /// Whether this address has a try left, without using it up.
    pub fn look(&self, address: Option<IpAddr>) -> Result<(), Error> {
        self.ask(address, Ask::Look)
    }

    fn ask(&self, address: Option<IpAddr>, ask: Ask) -> Result<(), Error> {
        let Some(address) = address else {
            return Ok(());
        };
        if self.spare_loopback && address.to_canonical().is_loopback() {
            return Ok(());
        }
        let now = clock::Clock::now(self.limiter.clock());
        self.limiter
            .check_key(&(network(address), ask))
            .map_err(|until| Error::rate_limited(until.wait_time_from(now)))
    }
}

/// What counts as one address: an IPv6 subscriber has a whole network of them.
fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let prefix = u128::from(v6) >> HOST_BITS << HOST_BITS;
            IpAddr::V6(Ipv6Addr::from(prefix))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Ask {
    Look,
    Take,
}

/// Where the limiter keeps what it knows of each address. Looking changes nothing.
struct Store(Cache<IpAddr, Nanos>);

impl StateStore for Store {
    type Key = (IpAddr, Ask);

    fn measure_and_replace<T, F, E>(&self, (address, ask): &Self::Key, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        if *ask == Ask::Look {
            return f(self.0.get(address)).map(|(outcome, _)| outcome);
        }
        let mut answer = None;
        self.0.entry(*address).and_compute_with(|entry| {
            let (op, outcome) = match f(entry.map(moka::Entry::into_value)) {
                Ok((outcome, next)) => (Op::Put(next), Ok(outcome)),
                Err(refused) => (Op::Nop, Err(refused)),
            };
            answer = Some(outcome);
            op
        });
        // The closure above always ran.
        answer.unwrap_or_else(|| f(None).map(|(outcome, _)| outcome))
    }
}

/// Our clock, as the limiter reads it.
#[derive(Clone, Debug)]
struct Ticks(Clock);

impl clock::Clock for Ticks {
    type Instant = Duration;

    fn now(&self) -> Duration {
        self.0.elapsed()
    }
}

#[cfg(test)]
mod tests {
    use chrono::TimeDelta;

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn six_register_and_then_one_in_half_a_minute() {
        let clock = Clock::default();
        let throttle = RateLimits::new(&clock, Mode::Production).registrations;
        let one = Some(address("203.0.113.9"));
        for _ in 0..6 {
            throttle.look(one).unwrap();
            throttle.take(one).unwrap();
        }
        let refused = throttle.take(one).unwrap_err();
        assert!(throttle.look(one).is_err());
        assert!(refused.retry_after().unwrap() <= Duration::from_secs(30));
        throttle.take(Some(address("203.0.113.10"))).unwrap();
        clock.advance(TimeDelta::seconds(31));
        throttle.take(one).unwrap();
        assert!(throttle.take(one).is_err());
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let throttle = RateLimits::new(&Clock::default(), Mode::Production).registrations;
        for host in 1..=6 {
            throttle
                .take(Some(address(&format!("2001:db8::{host}"))))
                .unwrap();
        }
        assert!(throttle.take(Some(address("2001:db8::7"))).is_err());
        throttle.take(Some(address("2001:db8:0:1::7"))).unwrap();
    }

    #[test]
    fn ones_own_machine_is_spared_in_development_only() {
        for (mode, is_spared) in [(Mode::Development, true), (Mode::Production, false)] {
            let throttle = RateLimits::new(&Clock::default(), mode).registrations;
            let tries = (0..7).filter(|_| throttle.take(Some(address("127.0.0.1"))).is_ok());
            assert_eq!(tries.count() == 7, is_spared);
        }
    }
}
