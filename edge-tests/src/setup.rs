//! How an edge is set up: which filter, what is changed in `envoy.yaml`, what stands upstream. It starts Envoy and asks nothing.

use std::time::Duration;

use testbed::bootstrap::{Bootstrap, UPSTREAM_PORT};
use testbed::gateway::Launch;
use testbed::upstream::{Answer, ClosedPort, Received, Upstream};
use testbed::{envoy, paths};

use crate::BoxError;
use crate::edge::Edge;
use crate::filters::Filter;

/// Lines of the access log come soon enough to be waited for.
const FLUSH_INTERVAL: Duration = Duration::from_millis(20);

/// `envoy.yaml` on free ports, with changes by its text.
#[derive(Debug, Clone)]
pub struct Setup {
    filter: Filter,
    changes: Vec<(String, String)>,
    plugin_configuration: Option<String>,
    directory: Option<u16>,
    collector: Option<u16>,
    quarantine: bool,
}

impl Setup {
    /// The file as it is shipped, with this filter in it.
    pub const fn new(filter: Filter) -> Self {
        Self {
            filter,
            changes: Vec::new(),
            plugin_configuration: None,
            directory: None,
            collector: None,
            quarantine: false,
        }
    }

    /// Replaces a text that must stand in the file exactly once.
    #[must_use]
    pub fn change(mut self, old: &str, new: &str) -> Self {
        self.changes.push((old.to_owned(), new.to_owned()));
        self
    }

    /// Replaces the plugin configuration.
    #[must_use]
    pub fn plugin_configuration(mut self, text: &str) -> Self {
        self.plugin_configuration = Some(text.to_owned());
        self
    }

    /// Takes the cluster of the account directory out of its comment, with the directory on this port.
    #[must_use]
    pub fn with_directory(mut self, port: u16) -> Self {
        self.directory = Some(port);
        self
    }

    /// Takes tracing out of its comment, with the collector on this port.
    #[must_use]
    pub fn with_tracing(mut self, port: u16) -> Self {
        self.collector = Some(port);
        self
    }

    /// Takes the route to the quarantine sink out of its comment; the upstream is the sink.
    #[must_use]
    pub fn with_quarantine(mut self) -> Self {
        self.quarantine = true;
        self
    }

    /// The text of the file, with upstreams on these ports.
    ///
    /// # Errors
    /// When the filter cannot be built, or a change does not fit.
    pub fn text(&self, upstream_ports: &[u16]) -> Result<String, BoxError> {
        let bellhop = paths::module("bellhop_plugin").display().to_string();
        let module = self.filter.module()?.display().to_string();
        let mut bootstrap = Bootstrap::of_repository()?.replace_once(&bellhop, &module)?;
        if let Some(text) = &self.plugin_configuration {
            bootstrap = bootstrap.plugin_configuration(text)?;
        }
        if let Some(port) = self.directory {
            bootstrap = bootstrap.with_directory(port)?;
        }
        if let Some(port) = self.collector {
            bootstrap = bootstrap.with_tracing(port)?;
        }
        if self.quarantine {
            bootstrap = bootstrap
                .with_quarantine()?
                .replace_once("cluster: directory\n", "cluster: upstream\n")?
                .replace_once("Bearer %ENVIRONMENT(DIRECTORY_TOKEN)%", "Bearer of-a-test")?;
        }
        for (old, new) in &self.changes {
            bootstrap = bootstrap.replace_once(old, new)?;
        }
        let (first, others) = upstream_ports.split_first().ok_or("an edge needs an upstream")?;
        let endpoint = |port: u16| {
            format!(
                "- endpoint: {{ address: {{ socket_address: {{ address: 127.0.0.1, port_value: {port} }} }} }}"
            )
        };
        let endpoints: Vec<_> = [UPSTREAM_PORT].iter().chain(others).map(|port| endpoint(*port)).collect();
        let bootstrap = bootstrap
            .replace_once(&endpoint(UPSTREAM_PORT), &endpoints.join("\n              "))?
            .on_free_ports(*first)?;
        Ok(bootstrap.into_text())
    }

    /// The gateway alone, with upstreams on these ports.
    ///
    /// # Errors
    /// When Envoy does not start.
    pub fn launch(&self, upstream_ports: &[u16]) -> Result<Launch, BoxError> {
        let text = self.text(upstream_ports)?;
        Ok(Launch::new(envoy::shared()?, text).flush_interval(FLUSH_INTERVAL))
    }

    /// Starts with one upstream that answers 200.
    ///
    /// # Errors
    /// When Envoy does not start.
    pub fn start(&self) -> Result<Edge, BoxError> {
        self.start_with(|_| Answer::status(200))
    }

    /// Starts with one upstream that answers like this.
    ///
    /// # Errors
    /// When Envoy does not start.
    pub fn start_with(
        &self,
        respond: impl Fn(&Received) -> Answer + Send + Sync + 'static,
    ) -> Result<Edge, BoxError> {
        let upstream = Upstream::start_with(0, respond)?;
        let gateway = self.launch(&[upstream.port()])?.start()?;
        Edge::new(gateway, vec![upstream], None)
    }

    /// Starts with these upstreams as the hosts of the cluster.
    ///
    /// # Errors
    /// When Envoy does not start.
    pub fn start_before(&self, upstreams: Vec<Upstream>) -> Result<Edge, BoxError> {
        let ports: Vec<_> = upstreams.iter().map(Upstream::port).collect();
        let gateway = self.launch(&ports)?.start()?;
        Edge::new(gateway, upstreams, None)
    }

    /// Starts with an upstream that refuses every connection.
    ///
    /// # Errors
    /// When Envoy does not start.
    pub fn start_without_upstream(&self) -> Result<Edge, BoxError> {
        let closed = ClosedPort::hold()?;
        let gateway = self.launch(&[closed.port()?])?.start()?;
        Edge::new(gateway, Vec::new(), Some(closed))
    }
}
