//! Tests against real programs, which `bash tests/testbed/run` builds and hands over.
#![expect(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "these tests start programs, in folders of their own, and wait for them"
)]

mod actions;
mod api_transport;
mod coredns;
mod corefile;
mod flux;
mod gitea;
mod itself;
mod live;
mod publishing;
mod pull_requests;
mod records;
mod registry;
mod registry_client;
mod registry_flux;
mod registry_gitea;
mod registry_pins;
mod registry_reference;
mod support;
mod whole_loop;
