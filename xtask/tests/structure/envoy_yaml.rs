//! `envoy.yaml` still has what tools replace in it by its text. That Envoy accepts it is for the tests with Envoy.

use testbed::bootstrap::Bootstrap;

#[test]
fn the_tools_find_what_they_replace() {
    let text = Bootstrap::of_repository()
        .unwrap()
        .on_free_ports(4242)
        .unwrap()
        .plugin_configuration("{ \"replaced\": true }")
        .unwrap()
        .into_text();
    assert_eq!(text.matches("port_value: 0 ").count(), 2);
    assert!(text.contains("port_value: 4242"));
    assert!(text.contains("{ \"replaced\": true }") && !text.contains("\"sources\""));
    assert!(text.contains(&testbed::paths::module("bellhop_plugin").display().to_string()));
}
