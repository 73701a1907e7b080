//! Limits failed sign-ins, registrations and requests for mail per network address. The counts are kept in memory, per node.

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

/// Maximum tracked addresses. The least used ones are evicted.
const MAX_ADDRESSES: u64 = 100_000;
/// How long an address without attempts is tracked. Every quota has refilled by then.
const IDLE_TIMEOUT: Duration = Duration::from_hours(1);
/// The refill rate of each quota.
const REFILL_PER_MINUTE: NonZeroU32 = NonZeroU32::MIN.saturating_add(1);
/// Burst of failed sign-ins.
const FAILED_SIGN_INS: NonZeroU32 = NonZeroU32::MIN.saturating_add(19);
/// Burst of registrations.
const REGISTRATIONS: NonZeroU32 = NonZeroU32::MIN.saturating_add(5);
/// Burst of requests for mail.
const MAIL_REQUESTS: NonZeroU32 = NonZeroU32::MIN.saturating_add(9);
/// The bits of an IPv6 address that its owner chooses freely.
const HOST_BITS: u32 = 64;

/// The rate limits of one node.
#[derive(Debug)]
pub struct RateLimits {
    /// The limit of failed sign-ins. Successful ones do not count.
    pub failed_sign_ins: RateLimit,
    /// The limit of registrations.
    pub registrations: RateLimit,
    /// The limit of requests for a mail to an address.
    pub mail_requests: RateLimit,
}

impl RateLimits {
    /// Creates the limits. In development the loopback address is exempt, because all local clients share it.
    #[must_use]
    pub fn new(clock: &Clock, mode: Mode) -> Self {
        let exempts_loopback = mode == Mode::Development;
        Self {
            failed_sign_ins: RateLimit::new(FAILED_SIGN_INS, clock, exempts_loopback),
            registrations: RateLimit::new(REGISTRATIONS, clock, exempts_loopback),
            mail_requests: RateLimit::new(MAIL_REQUESTS, clock, exempts_loopback),
        }
    }
}

type Limiter = RateLimiter<(IpAddr, Attempt), Store, MonotonicClock, NoOpMiddleware<Duration>>;

/// A quota per network address.
pub struct RateLimit {
    limiter: Limiter,
    exempts_loopback: bool,
}

impl fmt::Debug for RateLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimit").finish_non_exhaustive()
    }
}

impl RateLimit {
    fn new(burst: NonZeroU32, clock: &Clock, exempts_loopback: bool) -> Self {
        let quota = Quota::per_minute(REFILL_PER_MINUTE).allow_burst(burst);
        let cache = Cache::builder()
            .max_capacity(MAX_ADDRESSES)
            .time_to_idle(IDLE_TIMEOUT)
            .build();
        Self {
            limiter: RateLimiter::new(quota, Store(cache), MonotonicClock(clock.clone())),
            exempts_loopback,
        }
    }

    /// Consumes one attempt of an address. Fails with `RATE_LIMITED` if none is left. A call without an address is
    /// internal and not limited.
    pub fn consume(&self, address: Option<IpAddr>) -> Result<(), Error> {
        self.check_quota(address, Attempt::Consume)
    }

    /// Fails with `RATE_LIMITED` if an address has no attempt left. Does not consume one.
    pub fn check(&self, address: Option<IpAddr>) -> Result<(), Error> {
        self.check_quota(address, Attempt::Check)
    }

    fn check_quota(&self, address: Option<IpAddr>, attempt: Attempt) -> Result<(), Error> {
        let Some(address) = address else {
            return Ok(());
        };
        if self.exempts_loopback && address.to_canonical().is_loopback() {
            return Ok(());
        }
        let now = clock::Clock::now(self.limiter.clock());
        self.limiter
            .check_key(&(network(address), attempt))
            .map_err(|until| Error::rate_limited(until.wait_time_from(now)))
    }
}

/// Returns the network that counts as one address, because an IPv6 host may use a whole /64 network.
pub(super) fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let prefix = u128::from(v6) >> HOST_BITS << HOST_BITS;
            IpAddr::V6(Ipv6Addr::from(prefix))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Attempt {
    Check,
    Consume,
}

/// The state of each address. `Attempt::Check` does not change it.
struct Store(Cache<IpAddr, Nanos>);

impl StateStore for Store {
    type Key = (IpAddr, Attempt);

    fn measure_and_replace<T, F, E>(&self, (address, attempt): &Self::Key, f: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        if *attempt == Attempt::Check {
            return f(self.0.get(address)).map(|(outcome, _)| outcome);
        }
        let mut result = None;
        self.0.entry(*address).and_compute_with(|entry| {
            let (op, outcome) = match f(entry.map(moka::Entry::into_value)) {
                Ok((outcome, next)) => (Op::Put(next), Ok(outcome)),
                Err(error) => (Op::Nop, Err(error)),
            };
            result = Some(outcome);
            op
        });
        // The closure above always runs.
        result.unwrap_or_else(|| f(None).map(|(outcome, _)| outcome))
    }
}

/// Adapts [`Clock`] to the limiter.
#[derive(Clone, Debug)]
struct MonotonicClock(Clock);

impl clock::Clock for MonotonicClock {
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
    fn after_six_registrations_one_is_allowed_every_half_minute() {
        let clock = Clock::default();
        let limit = RateLimits::new(&clock, Mode::Production).registrations;
        let one = Some(address("203.0.113.9"));
        for _ in 0..6 {
            limit.check(one).unwrap();
            limit.consume(one).unwrap();
        }
        let error = limit.consume(one).unwrap_err();
        assert!(limit.check(one).is_err());
        assert!(error.retry_after().unwrap() <= Duration::from_secs(30));
        limit.consume(Some(address("203.0.113.10"))).unwrap();
        clock.advance(TimeDelta::seconds(31));
        limit.consume(one).unwrap();
        assert!(limit.consume(one).is_err());
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let limit = RateLimits::new(&Clock::default(), Mode::Production).registrations;
        for host in 1..=6 {
            limit
                .consume(Some(address(&format!("2001:db8::{host}"))))
                .unwrap();
        }
        assert!(limit.consume(Some(address("2001:db8::7"))).is_err());
        limit.consume(Some(address("2001:db8:0:1::7"))).unwrap();
    }

    #[test]
    fn the_loopback_address_is_exempt_in_development_only() {
        for (mode, is_exempt) in [(Mode::Development, true), (Mode::Production, false)] {
            let limit = RateLimits::new(&Clock::default(), mode).registrations;
            let attempts = (0..7).filter(|_| limit.consume(Some(address("127.0.0.1"))).is_ok());
            assert_eq!(attempts.count() == 7, is_exempt);
        }
    }
}
