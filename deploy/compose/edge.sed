# What envoy.yaml needs to run in a container of compose.yaml: its addresses. The edge reads the result.
# The listener is reached from outside of the container; the admin port is not.
s/address: 127\.0\.0\.1, port_value: 10000 /address: 0.0.0.0, port_value: 10000 /
# Where release and repository have the module.
s|target/wasm32-wasip1/release/bellhop_plugin\.wasm|/etc/bellhop/bellhop.wasm|
# The directory's cluster, by the name of its service.
/^    #- name: directory$/,/^    #        http_protocol_options: {}$/ {
  s/^    #/    /
  s/type: STATIC/type: STRICT_DNS/
  s/address: 127\.0\.0\.1, port_value: 8090 /address: directory, port_value: 8090 /
}
# The filter asks it, and may read the token.
s/"on_unassigned": "defer",/"directory": { "cluster": "directory", "token": { "env": "DIRECTORY_TOKEN" } },\n                              &/
s/# environment_variables: { host_env_keys: \[ACME_SECRET, DIRECTORY_TOKEN\] }/environment_variables: { host_env_keys: [DIRECTORY_TOKEN] }/
# The upstream: a service beside these, or any other name.
/^    - name: upstream$/,/^          - lb_endpoints:/ s/type: STATIC/type: STRICT_DNS/
s/address: 127\.0\.0\.1, port_value: 9000 /address: upstream, port_value: 9000 /
