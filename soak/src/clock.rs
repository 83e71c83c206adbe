//! The provider's time: real time, compressed. It stands still while this machine does what takes it as long as it takes.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A compressed clock that begins at zero.
#[derive(Debug)]
pub struct Clock {
    /// So many provider seconds pass in a real one.
    speed: u32,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug)]
struct State {
    passed: Duration,
    /// Since when it goes; `None`: it stands still.
    going_since: Option<Instant>,
    /// How many hold it.
    n_holders: usize,
}

impl Clock {
    /// A clock that goes: an hour of the provider's takes so long.
    pub fn start(hour: Duration) -> Self {
        let speed = u32::try_from(3_600_000 / hour.as_millis().max(1)).unwrap_or(1).max(1);
        let state = State { passed: Duration::ZERO, going_since: Some(Instant::now()), n_holders: 0 };
        Self { speed, state: Mutex::new(state), changed: Condvar::new() }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Provider time since the beginning.
    pub fn now(&self) -> Duration {
        self.lock().now(self.speed)
    }

    /// Runs this while provider time stands still: how fast this machine starts a process is no matter of the provider's.
    pub fn held<T>(&self, work: impl FnOnce() -> T) -> T {
        {
            let mut state = self.lock();
            state.passed = state.now(self.speed);
            state.going_since = None;
            state.n_holders += 1;
        }
        let result = work();
        let mut state = self.lock();
        state.n_holders -= 1;
        if state.n_holders == 0 {
            state.going_since = Some(Instant::now());
        }
        drop(state);
        self.changed.notify_all();
        result
    }

    /// Waits until it is this late, or for some real milliseconds at most. Whether it is this late.
    pub fn wait_until(&self, time: Duration) -> bool {
        const AT_MOST: Duration = Duration::from_millis(20);
        let state = self.lock();
        let left = time.saturating_sub(state.now(self.speed));
        if left.is_zero() {
            return true;
        }
        let real = if state.going_since.is_some() { (left / self.speed).min(AT_MOST) } else { AT_MOST };
        let (state, _) = self.changed.wait_timeout(state, real).unwrap_or_else(PoisonError::into_inner);
        state.now(self.speed) >= time
    }
}

impl State {
    fn now(&self, speed: u32) -> Duration {
        let going = self.going_since.map_or(Duration::ZERO, |since| since.elapsed());
        self.passed + going * speed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_still_while_it_is_held() {
        let clock = Clock::start(Duration::from_millis(10));
        let (first, second) = clock.held(|| {
            let first = clock.now();
            // Any time at all: it is not compared with anything.
            clock.held(|| std::thread::sleep(Duration::from_millis(2)));
            (first, clock.now())
        });
        assert_eq!(first, second);
        while !clock.wait_until(first + Duration::from_secs(3600)) {}
        assert!(clock.now() >= first + Duration::from_secs(3600));
    }
}
