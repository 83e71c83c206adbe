//! The root context: reads the configuration once per worker and hands it to every stream. It sees no request.

use crate::host;
use crate::stream::Stream;
use event_core::Edge;
use proxy_wasm::traits::{Context, HttpContext, RootContext};
use proxy_wasm::types::{ContextType, LogLevel};
use std::rc::Rc;

/// One per plugin and worker.
#[derive(Default)]
pub(crate) struct Root {
    /// `None` until a configuration is accepted: streams then answer 503.
    edge: Option<Rc<Edge>>,
}

impl Context for Root {}

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
                self.edge = Some(Rc::new(edge));
                true
            }
            Err(error) => {
                host::log(LogLevel::Critical, &error.to_string());
                false
            }
        }
    }

    fn create_http_context(&self, _context_id: u32) -> Option<Box<dyn HttpContext>> {
        Some(Box::new(Stream::new(self.edge.clone())))
    }

    fn get_type(&self) -> Option<ContextType> {
        Some(ContextType::HttpContext)
    }
}
