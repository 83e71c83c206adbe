//! What is around the streams: start, clock, workers, sharing, failure, cost.

use std::time::Duration;

use envoy_sim::{
    Answerer, CalloutAnswer, Cluster, Conflicts, EnvoyProfile, Error, FailurePolicy, Module, Outcome,
    Request, Response, Setup, Simulator, Upstream, WaitingFor,
};

use crate::guest::probe;

fn allowing() -> EnvoyProfile {
    EnvoyProfile { allow_on_headers_stop_iteration: true, ..Default::default() }
}

#[test]
fn a_refused_configuration_and_a_trap_at_start_are_named() {
    let start = |text: &str| {
        Simulator::new(probe(), Setup { configuration: text.as_bytes().to_vec(), ..Default::default() }).err()
    };
    assert!(start("").is_none());
    assert!(matches!(
        start("configure: return 0"),
        Some(Error::Refused { callback: "proxy_on_configure", .. })
    ));
    assert!(matches!(
        start("configure: trap"),
        Some(Error::StartTrapped { callback: "proxy_on_configure", .. })
    ));
}

#[test]
fn an_unknown_import_is_named_at_load() {
    // (module (import "env" "proxy_nothing" (func)) and the two exports that Envoy asks for).
    let bytes = [
        b"\0asm\x01\0\0\0".as_slice(),
        b"\x01\x04\x01\x60\0\0",
        b"\x02\x15\x01\x03env\x0dproxy_nothing\0\0",
        b"\x03\x02\x01\0",
        b"\x07\x24\x02\x17proxy_abi_version_0_2_1\0\x01\x06malloc\0\x01",
        b"\x0a\x04\x01\x02\0\x0b",
    ]
    .concat();
    match Module::from_bytes(&bytes) {
        Err(Error::UnknownImport { module, name }) => {
            assert_eq!((module.as_str(), name.as_str()), ("env", "proxy_nothing"));
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_kept_module_that_is_not_recognised_is_compiled_anew() {
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("kept-module");
    // The folder may be left over from an earlier run.
    let _ = std::fs::remove_dir_all(&folder);
    std::fs::create_dir_all(&folder).unwrap();
    let source = folder.join("empty.wasm");
    let bytes = [
        b"\0asm\x01\0\0\0".as_slice(),
        b"\x01\x04\x01\x60\0\0",
        b"\x03\x02\x01\0",
        b"\x07\x24\x02\x17proxy_abi_version_0_2_1\0\0\x06malloc\0\0",
        b"\x0a\x04\x01\x02\0\x0b",
    ]
    .concat();
    std::fs::write(&source, bytes).unwrap();
    let kept = || -> Vec<_> {
        std::fs::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|path| path.extension().is_some_and(|extension| extension == "cwasm"))
            .collect()
    };
    Module::load_cached(&source, &folder).unwrap();
    let [file] = kept().try_into().unwrap();
    let code = std::fs::read(&file).unwrap();
    std::fs::write(&file, b"not machine code").unwrap();
    Module::load_cached(&source, &folder).unwrap();
    assert_eq!(std::fs::read(&file).unwrap(), code);
}

#[test]
fn ticks_follow_the_virtual_clock() {
    let configuration = b"configure: tick 100\ntick: metric 0 ticks increment 1".to_vec();
    let mut sim =
        Simulator::new(probe(), Setup { configuration, canary: false, ..Default::default() }).unwrap();
    sim.advance(Duration::from_millis(99)).unwrap();
    assert_eq!(sim.metrics().counter("ticks"), None);
    sim.advance(Duration::from_millis(251)).unwrap();
    assert_eq!(sim.metrics().counter("ticks"), Some(3));
}

#[test]
fn after_a_trap_a_new_vm_is_loaded_once_the_back_off_is_over() {
    let profile = EnvoyProfile { failure_policy: FailurePolicy::Reload { base_ms: 1_000 }, ..allowing() };
    let mut sim = Simulator::new(probe(), Setup { profile, ..Default::default() }).unwrap();
    let trapped = sim.run(Request::get("/").header("x-probe-request-headers", "trap")).unwrap();
    assert_eq!((trapped.status(), trapped.answered_by), (503, Answerer::Envoy));
    assert_eq!(trapped.code_details.as_deref(), Some("wasm_fail_stream"));
    assert_eq!(sim.run(Request::get("/")).unwrap().status(), 503);
    sim.advance(Duration::from_millis(999)).unwrap();
    assert_eq!(sim.run(Request::get("/")).unwrap().status(), 503);
    sim.advance(Duration::from_millis(501)).unwrap();
    assert!(sim.run(Request::get("/")).unwrap().forwarded());
}

#[test]
fn a_stream_of_a_failed_vm_stays_failed_after_the_reload() {
    let profile = EnvoyProfile { failure_policy: FailurePolicy::Reload { base_ms: 1 }, ..allowing() };
    let mut sim = Simulator::new(probe(), Setup { profile, ..Default::default() }).unwrap();
    let held = sim
        .worker(0)
        .open(Request::post("/held").header("x-probe-request-headers", "return 1").body("late"))
        .unwrap();
    sim.step(held).unwrap();
    let trapping = sim.worker(0).open(Request::get("/").header("x-probe-request-headers", "trap")).unwrap();
    sim.step(trapping).unwrap();
    sim.advance(Duration::from_millis(5)).unwrap();
    assert_eq!(sim.seen(held).unwrap().status(), 503);
    assert!(sim.run(Request::get("/next")).unwrap().forwarded());
}

#[test]
fn callouts_are_answered_in_any_order_late_or_never() {
    let setup = Setup { profile: allowing(), clusters: vec![Cluster::manual("peer")], ..Default::default() };
    let mut sim = Simulator::new(probe(), setup).unwrap();
    let request = |path: &str, timeout_ms: u32| {
        Request::get(path)
            .header("x-probe-request-headers", format!("call peer {timeout_ms}; return 1"))
            .header("x-probe-call", "get 6 :status; continue 0")
    };
    let ids: Vec<_> = [("/a", 0), ("/b", 0), ("/c", 50)]
        .map(|(path, timeout_ms)| sim.worker(0).open(request(path, timeout_ms)).unwrap())
        .into_iter()
        .collect();
    sim.advance(Duration::ZERO).unwrap();
    let asked: Vec<u32> = sim.pending_callouts().iter().map(|callout| callout.id).collect();
    assert_eq!(asked.len(), 3);
    sim.answer_callout(asked[1], CalloutAnswer::Now(Response::new(204))).unwrap();
    assert!(sim.seen(ids[1]).unwrap().forwarded());
    assert_eq!(sim.seen(ids[0]).unwrap().outcome, Outcome::Hung(WaitingFor::Callout));
    // The third was given up on the virtual clock; Envoy answered it with its own 504.
    let seen = sim.seen(ids[2]).unwrap();
    assert!(seen.forwarded(), "{seen:?}");
    sim.disconnect(ids[0]).unwrap();
    sim.answer_callout(asked[0], CalloutAnswer::Broken).unwrap();
    assert_eq!(sim.seen(ids[0]).unwrap().outcome, Outcome::Reset);
    assert!(matches!(sim.answer_callout(asked[0], CalloutAnswer::Broken), Err(Error::NoCallout(_))));
}

#[test]
fn workers_share_data_and_metrics_and_collide_when_told() {
    let setup = Setup { workers: 2, ..Default::default() };
    let mut sim = Simulator::new(probe(), setup).unwrap();
    let script = |commands: &str| Request::get("/").header("x-probe-request-headers", commands);
    let write = "shared-set k 1; metric 0 c increment 1";
    sim.worker(0).request(script(write)).run().unwrap();
    let seen = sim.worker(1).request(script("shared-get k; metric 0 c increment 1")).run().unwrap();
    assert!(seen.logs[0].message.contains("shared-get k=0:1"), "{seen:?}");
    assert_eq!(sim.metrics().counter("c"), Some(2));
    sim.set_conflicts(Conflicts::Next(1));
    let seen = sim.run(script("shared-swap k 2 0; shared-swap k 3 0")).unwrap();
    assert!(seen.logs[0].message.contains("shared-swap k 2 0=8 | shared-swap k 3 0=0"), "{seen:?}");
    assert_eq!(sim.shared_data("k").as_deref(), Some(b"3".as_slice()));
}

#[test]
fn the_same_seed_gives_the_same_interleaving_fuel_and_trace() {
    let run = |seed| {
        let setup = Setup { workers: 2, seed, profile: allowing(), ..Default::default() };
        let mut sim = Simulator::new(probe(), setup).unwrap();
        let requests = (0..6).map(|n| {
            let request = Request::post(&format!("/{n}"))
                .header("x-probe-request-headers", "random; return 1")
                .header("x-probe-request-body", "shared-swap k x 0; return 1")
                .header("x-probe-request-end", "return 0")
                .body_pieces(["a", "b", "c"]);
            (n % 2, request)
        });
        let seen = sim.run_interleaved(requests).unwrap();
        assert!(seen.iter().all(|seen| seen.forwarded()));
        let fuel: Vec<u64> = seen.iter().map(|seen| seen.fuel.total()).collect();
        (fuel, sim.trace().to_string())
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1).1, run(2).1);
}

#[test]
fn fuel_and_memory_are_counted_where_they_are_used() {
    let mut sim = Simulator::new(probe(), Setup::default()).unwrap();
    let warm = sim.run(Request::get("/")).unwrap();
    let again = sim.run(Request::get("/")).unwrap();
    let spun = sim.run(Request::get("/").header("x-probe-request-headers", "spin 10000")).unwrap();
    assert!(spun.fuel.total() > again.fuel.total() + 10_000, "{} {}", spun.fuel.total(), again.fuel.total());
    assert_eq!(warm.memory_pages_after, warm.memory_pages_before);
    let grown = sim.run(Request::get("/").header("x-probe-request-headers", "grow 4")).unwrap();
    assert!(grown.memory_pages_after >= grown.memory_pages_before + 4);
}

#[test]
fn an_endless_loop_ends_in_a_trap() {
    let setup = Setup { fuel_per_callback: 5_000_000, ..Default::default() };
    let mut sim = Simulator::new(probe(), setup).unwrap();
    let seen = sim.run(Request::get("/").header("x-probe-request-headers", "spin 999999999")).unwrap();
    assert_eq!(seen.status(), 503);
    assert!(sim.trace().to_string().contains("fuel"), "{seen:?}");
}

#[test]
fn what_is_not_simulated_ends_the_run_by_name() {
    let setup = Setup { clusters: vec![Cluster::manual("peer")], ..Default::default() };
    let mut sim = Simulator::new(probe(), setup).unwrap();
    for (command, name) in [("grpc peer", "proxy_grpc_call"), ("foreign sign", "foreign function sign")] {
        match sim.run(Request::get("/").header("x-probe-request-headers", command)) {
            Err(Error::Unsupported { call }) => assert!(call.contains(name), "{call}"),
            other => panic!("{other:?}"),
        }
        let mut fresh =
            Simulator::new(probe(), Setup { clusters: vec![Cluster::manual("peer")], ..Default::default() })
                .unwrap();
        std::mem::swap(&mut sim, &mut fresh);
    }
}

#[test]
fn a_silent_upstream_hangs_the_stream_until_the_test_speaks() {
    let mut sim = Simulator::new(probe(), Setup::default()).unwrap();
    let id = sim.worker(0).open(Request::get("/").upstream(Upstream::Silent)).unwrap();
    sim.settle().unwrap();
    assert_eq!(sim.seen(id).unwrap().outcome, Outcome::Hung(WaitingFor::Upstream));
    sim.answer_upstream(id, Response::new(418)).unwrap();
    sim.settle().unwrap();
    assert_eq!(sim.seen(id).unwrap().status(), 418);
}

#[test]
fn a_simulator_can_be_moved_to_another_thread() {
    fn send<T: Send>(_: &T) {}
    send(&Simulator::new(probe(), Setup::default()).unwrap());
}
