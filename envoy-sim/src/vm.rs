//! One instance of the filter: starting it, calling it, its fuel and memory. It knows nothing of HTTP.

use std::collections::BTreeMap;

use wasmtime::{Func, Store, Val};

use crate::abi::Callback;
use crate::error::Error;
use crate::host::{Host, Phase, ROOT};
use crate::module::Module;
use crate::trace::TraceEvent;

const CALLBACKS: &[Callback] = &[
    Callback::ContextCreate,
    Callback::VmStart,
    Callback::Configure,
    Callback::Tick,
    Callback::QueueReady,
    Callback::RequestHeaders,
    Callback::RequestBody,
    Callback::RequestTrailers,
    Callback::ResponseHeaders,
    Callback::ResponseBody,
    Callback::ResponseTrailers,
    Callback::HttpCallResponse,
    Callback::Log,
    Callback::Done,
    Callback::Delete,
];

/// What a call into the filter gave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Called {
    /// The filter has no such export.
    Absent,
    /// It returned; 0 if the export has no result.
    Returned(u64),
    /// The VM has failed, now or before.
    Failed,
}

pub(crate) struct Vm {
    pub(crate) store: Store<Host>,
    exports: BTreeMap<Callback, Func>,
    failed: Option<String>,
    /// Fuel of calls that belong to no stream: start, ticks, queues.
    pub(crate) root_fuel: u64,
}

impl Vm {
    /// Instantiates, starts and configures, as Envoy does for each worker.
    pub(crate) fn start(module: &Module, host: Host) -> Result<Self, Error> {
        let mut store = Store::new(&module.engine, host);
        store.set_fuel(store.data().settings.fuel_per_callback).map_err(Error::Instantiate)?;
        let instance = module.linked.instantiate(&mut store).map_err(Error::Instantiate)?;
        let memory = instance.get_memory(&mut store, "memory").ok_or(Error::MissingExport("memory"))?;
        let allocate = ["malloc", "proxy_on_memory_allocate"]
            .iter()
            .find_map(|name| instance.get_typed_func::<u32, u32>(&mut store, name).ok())
            .ok_or(Error::MissingExport("proxy_on_memory_allocate"))?;
        store.data_mut().memory = Some(memory);
        store.data_mut().allocate = Some(allocate);
        let exports = CALLBACKS
            .iter()
            .filter_map(|callback| {
                instance.get_func(&mut store, callback.export()).map(|function| (*callback, function))
            })
            .collect();
        let mut vm = Self { store, exports, failed: None, root_fuel: 0 };

        // A reactor is initialised and its `main`, if any, called; a command is started.
        let initialize = instance.get_func(&mut vm.store, "_initialize");
        let begin = initialize.or_else(|| instance.get_func(&mut vm.store, "_start"));
        if let Some(function) = begin {
            vm.call_function(Callback::Initialize, function, 0, &[]);
            vm.check_start(Callback::Initialize)?;
        }
        if initialize.is_some()
            && let Some(main) = instance.get_func(&mut vm.store, "main")
        {
            vm.call_function(Callback::Initialize, main, 0, &[0, 0]);
            vm.check_start(Callback::Initialize)?;
        }
        vm.store.data_mut().phase = Phase::Running;

        vm.store.data_mut().configuration_shown = true;
        vm.call(Callback::ContextCreate, ROOT, &[0]);
        vm.store.data_mut().configuration_shown = false;
        vm.check_start(Callback::ContextCreate)?;

        let vm_configuration = vm.store.data().settings.vm_configuration.len() as u32;
        vm.accepted(Callback::VmStart, vm_configuration)?;
        vm.store.data_mut().configuration_shown = true;
        let configuration = vm.store.data().settings.configuration.len() as u32;
        let configured = vm.accepted(Callback::Configure, configuration);
        vm.store.data_mut().configuration_shown = false;
        configured?;
        Ok(vm)
    }

    fn accepted(&mut self, callback: Callback, size: u32) -> Result<(), Error> {
        let called = self.call(callback, ROOT, &[size]);
        self.store.data_mut().stop_next = false;
        self.check_start(callback)?;
        if called == Called::Returned(0) {
            return Err(Error::Refused { callback: callback.export(), logs: self.log_lines() });
        }
        Ok(())
    }

    fn check_start(&self, callback: Callback) -> Result<(), Error> {
        match &self.failed {
            None => Ok(()),
            Some(message) => Err(Error::StartTrapped {
                callback: callback.export(),
                message: message.clone(),
                logs: self.log_lines(),
            }),
        }
    }

    fn log_lines(&self) -> Vec<String> {
        self.store.data().shared.lock().logs.iter().map(|line| line.message.clone()).collect()
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.failed.is_some()
    }

    /// Pages of 64 KiB.
    pub(crate) fn memory_pages(&self) -> u64 {
        self.store.data().memory.map_or(0, |memory| memory.size(&self.store))
    }

    /// Calls the filter in a context. The first argument of each callback is the context's id.
    pub(crate) fn call(&mut self, callback: Callback, context: u32, args: &[u32]) -> Called {
        let Some(function) = self.exports.get(&callback).copied() else { return Called::Absent };
        let mut all = vec![context];
        all.extend_from_slice(args);
        self.call_function(callback, function, context, &all)
    }

    fn call_function(&mut self, callback: Callback, function: Func, context: u32, args: &[u32]) -> Called {
        if self.failed.is_some() {
            return Called::Failed;
        }
        let host = self.store.data_mut();
        let saved = (host.current, host.effective);
        host.current = context;
        host.effective = 0;
        let worker = host.worker;
        let shared = host.shared.clone();
        let budget = host.settings.fuel_per_callback;
        let stream = host.stream_of(context);
        let name = callback.export();
        let shown = args.iter().skip(1).map(|arg| u64::from(*arg)).collect();
        shared.lock().trace(worker, context, TraceEvent::Called { callback: name, args: shown });

        let params: Vec<Val> = args.iter().map(|arg| Val::I32(arg.cast_signed())).collect();
        let mut results = vec![Val::I32(0); function.ty(&self.store).results().len()];
        // Each call starts with the same budget, so what it used is the difference.
        let outcome =
            self.store.set_fuel(budget).and_then(|()| function.call(&mut self.store, &params, &mut results));
        let fuel = budget - self.store.get_fuel().unwrap_or(0);

        let host = self.store.data_mut();
        (host.current, host.effective) = saved;
        match stream.and_then(|id| host.streams.get_mut(&id)) {
            Some(stream) => stream.fuel.push((callback, fuel)),
            None => self.root_fuel += fuel,
        }
        let host = self.store.data_mut();
        match outcome {
            Ok(()) => {
                let result = results.first().and_then(Val::i32).map(|value| u64::from(value.cast_unsigned()));
                shared.lock().trace(worker, context, TraceEvent::Returned { callback: name, result, fuel });
                Called::Returned(result.unwrap_or(0))
            }
            Err(error) => {
                let message = format!("{error:?}");
                shared.lock().trace(
                    worker,
                    context,
                    TraceEvent::Trapped { callback: name, message: message.clone() },
                );
                host.stop_next = false;
                host.deferred.clear();
                self.failed = Some(message);
                Called::Failed
            }
        }
    }
}
