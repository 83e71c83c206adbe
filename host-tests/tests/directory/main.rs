//! The filter's use of the account directory in the simulator: who waits for whom, what is remembered, what happens in an
//! outage, and what all of it may take. What one event alone comes to is the scenarios' part.

mod bounds;
mod memory;
mod on_envoy;
mod outage;
mod waiting;
mod world;
