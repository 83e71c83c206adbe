//! A request that waits in a VM that is gone. Nobody in the filter can answer it any more.

use std::sync::Arc;
use std::time::Duration;

use soak::BoxError;
use soak::clock::Clock;
use soak::edge::Options;
use soak::fleet::{Event, Fleet, N_DEVICES};
use soak::plan::{Fault, Step};
use soak::recorder::Recorder;
use soak::trap::TRAPPING_HEADERS;
use soak::world::{World, until};
use testbed::http1::{self, Connection};
use testbed::message::Request;

const FLEET: Fleet = Fleet::new(1, N_DEVICES, Duration::from_secs(12));

#[test]
fn a_request_that_waits_when_the_filter_traps_is_told_to_come_again() -> Result<(), BoxError> {
    let clock = Arc::new(Clock::start(Duration::from_secs(1)));
    let recorder = Arc::new(Recorder::new(FLEET, 1));
    // The directory is waited for until something else ends it.
    let options = Options { n_workers: 1, directory_timeout_ms: 10_000, ..Options::default() };
    let mut world = World::start(clock, Arc::clone(&recorder), options)?;
    let step =
        Step { after: Duration::ZERO, fault: Fault::DirectoryHangs, percent: 100, lasts: Duration::ZERO };
    world.begin(&step)?;
    let open = |number: &u64| !FLEET.event(*number).is_signed();
    let number = (0..).find(open).ok_or("no event of the open source")?;
    let Event { path, body, .. } = FLEET.event(number);
    let request = Request::post_json(path, &body);

    let mut waiting = Connection::open(world.edge())?;
    waiting.write(&request)?;
    let asked = || Ok(world.gateway()?.stat("cluster.directory.upstream_rq_active")? == Some(1));
    until("a question to the directory", asked)?;
    let many = (0..TRAPPING_HEADERS).fold(request.clone(), |it, n| it.header(format!("x-many-{n}"), "1"));
    let trapped = http1::send(world.edge(), &many)?;
    assert_eq!(trapped.status, 503, "{}", trapped.text());

    // Envoy ends it, when nothing has moved on its stream for `stream_idle_timeout`. The filter that is gone has no say in the answer.
    let answer = waiting.read_response("POST")?;
    assert!(matches!(answer.status, 503 | 504), "{} {}", answer.status, answer.text());
    assert_eq!(answer.json()?["cause"], "upstream_unavailable");
    assert!(answer.headers.has("retry-after"));
    assert_eq!(world.gateway()?.stat("http.edge.downstream_rq_idle_timeout")?, Some(1));
    assert!(!recorder.has(number));

    world.mend(&step)?;
    let accepted = || Ok(http1::send(world.edge(), &request)?.status == 200);
    until("the event's acceptance", accepted)?;
    assert!(recorder.has(number));
    assert_eq!(recorder.seen().n_findings, 0);
    world.end_all()?;
    Ok(())
}
