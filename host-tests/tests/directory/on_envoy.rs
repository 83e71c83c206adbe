//! The same on real Envoy, where it shows: many requests wait for one answer, and whoever asked goes away.

use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;

use host_tests::filters;
use testbed::PATIENCE;
use testbed::bootstrap::Bootstrap;
use testbed::envoy;
use testbed::gateway::{Gateway, Launch};
use testbed::http1::{self, Connection};
use testbed::message::{Request, Response};
use testbed::upstream::{Answer, Upstream};

const CONFIGURATION: &str = r#"{
    "environment": "test",
    "sources": [{ "name": "acme", "path": "/provider_events", "verify": "none" }],
    "directory": { "cluster": "directory", "timeout_ms": 60000 }
}"#;

const OWNED: &str = r#"{"accounts":[{"connected_account_id":"ca_far"}],"assigned_by":"device_id"}"#;

/// An Envoy whose directory answers when the test says so.
struct World {
    gateway: Gateway,
    upstream: Upstream,
    /// Each question that has come.
    asked: Receiver<()>,
    /// Each lets one question have its answer. It goes before the directory, whose threads wait for it.
    answers: Sender<()>,
    directory: Upstream,
}

impl World {
    fn start() -> Self {
        filters::plugin();
        let upstream = Upstream::start().unwrap();
        let (answers, wanted): (Sender<()>, Receiver<()>) = channel();
        let (questions, asked) = channel();
        let wanted = Mutex::new(wanted);
        let directory = Upstream::start_with(0, move |_| {
            let _ = questions.send(());
            let _ = wanted.lock().unwrap().recv_timeout(PATIENCE);
            Answer::status(200).body(OWNED)
        })
        .unwrap();
        let bootstrap = Bootstrap::of_repository()
            .unwrap()
            .plugin_configuration(CONFIGURATION)
            .unwrap()
            .on_free_ports(upstream.port())
            .unwrap()
            .with_directory(directory.port())
            .unwrap();
        let gateway = Launch::new(envoy::shared().unwrap(), bootstrap.into_text()).start().unwrap();
        Self { gateway, upstream, asked, answers, directory }
    }

    fn send(&self) -> JoinHandle<std::io::Result<Response>> {
        let address = self.gateway.listener("edge").unwrap();
        std::thread::spawn(move || http1::send(address, &event()))
    }

    fn wait_for_question(&self) {
        self.asked.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("{}", self.gateway.log_tail()));
    }

    /// Waits until so many requests are in the gateway.
    fn wait_for_active(&self, n_requests: u64) {
        let deadline = std::time::Instant::now() + PATIENCE;
        while self.gateway.stat("http.edge.downstream_rq_active").unwrap() != Some(n_requests) {
            assert!(std::time::Instant::now() < deadline, "{}", self.gateway.log_tail());
            std::thread::yield_now();
        }
    }
}

fn event() -> Request {
    let body = r#"{"event_type":"device.online","device_id":"d","timestamp":"2025-05-22T10:48:18Z"}"#;
    Request::post_json("/provider_events", body)
}

#[test]
fn one_question_serves_many_requests_on_envoy() {
    let world = World::start();
    let sent: Vec<_> = (0..8).map(|_| world.send()).collect();
    world.wait_for_active(8);
    world.wait_for_question();
    world.answers.send(()).unwrap();
    for waiting in sent {
        assert_eq!(waiting.join().unwrap().unwrap().status, 200, "{}", world.gateway.log_tail());
    }
    assert_eq!(world.directory.received().len(), 1, "one question");
    let received = world.upstream.received();
    assert_eq!(received.len(), 8);
    for request in received {
        assert!(request.headers.all("x-connected-account-id").eq([b"ca_far".as_slice()]));
        assert_eq!(request.body, event().pieces.concat());
    }
}

#[test]
fn the_others_get_their_answer_on_envoy_when_whoever_asked_has_gone() {
    let world = World::start();
    let mut leader = Connection::open(world.gateway.listener("edge").unwrap()).unwrap();
    leader.write(&event()).unwrap();
    world.wait_for_question();
    let follower = world.send();
    world.wait_for_active(2);
    drop(leader);
    // The root asks again, on behalf of the follower.
    world.wait_for_question();
    world.answers.send(()).unwrap();
    world.answers.send(()).unwrap();
    assert_eq!(follower.join().unwrap().unwrap().status, 200, "{}", world.gateway.log_tail());
    assert_eq!(world.upstream.received().len(), 1, "the event of whoever has gone is not sent");
}
