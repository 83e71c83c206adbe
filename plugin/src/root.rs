//! The root context: reads the configuration once per worker and hands it to every stream. It sees no
//! request, but for those that wait for the directory when whoever asked for them has gone.

use crate::host;
use crate::stream::Stream;
use crate::worker::Worker;
use event_core::Edge;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{ContextType, LogLevel};
use std::rc::Rc;

/// One per plugin and worker.
#[derive(Default)]
pub(crate) struct Root {
    /// `None` until a configuration is accepted: streams then answer 503.
    worker: Option<Rc<Worker>>,
}

impl Context for Root {
    /// The answer to a question that the root has asked again.
    fn on_http_call_response(&mut self, token: u32, n_headers: usize, body_size: usize, _n_trailers: usize) {
        if let Some(worker) = &self.worker {
            worker.answered(token, n_headers, body_size);
        }
    }
}

impl RootContext for Root {
    fn on_configure(&mut self, _size: usize) -> bool {
        match Edge::with_environment(&host::plugin_configuration(), &host::environment_variable) {
            Ok(edge) => {
                for source in edge.config().unverified_sources() {
                    host::log(
                        LogLevel::Warn,
                        &format!("source `{source}`: `verify` is `none`, anyone can post its events"),
                    );
                }
                self.worker = Some(Rc::new(Worker::new(edge)));
                true
            }
            Err(error) => {
                host::log(LogLevel::Critical, &error.to_string());
                false
            }
        }
    }

    fn on_tick(&mut self) {
        if let Some(worker) = &self.worker
            && let Some(directory) = worker.directory()
        {
            directory.tick(worker);
        }
    }

    fn create_http_context(&self, context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream::new(context_id, self.worker.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
