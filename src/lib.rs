//! bobbypin: plans, pins and commits the hairpin fix for PROXY-protocol clusters.
//!
//! # Code map
//!
//! The modules below stand in reading order, innermost first. Each may use those before it, and nothing after it; a test
//! (`tests/integration/architecture.rs`) holds that. Nothing before [`edge`] does I/O, is async, reads a clock or the
//! environment, or logs.
//!
//! | step | function | from | to |
//! |---|---|---|---|
//! | read | `edge::git`, `edge::files` | a branch or a work tree | `Tree`, inventory files |
//! | see | `edge::kube::read`, called by `ops::collect` | clusters, as `plan::reading` wants them | `Inventory` |
//! | load | `config::parse_*`, called by `ops::load` | text and its path | `ClusterConfig`, `Pins`, `State`, `Inventory`, `PlatformValues` |
//! | decide | `plan::plan` | those and the `Tree` | `ClusterPlan` |
//! | render | `render::render` | `ClusterPlan`, `Templates` | `Manifests<Rendered>`, `Rules` |
//! | validate | `Manifests::validate` | `Manifests<Rendered>` | `Manifests<Validated>` or problems |
//! | diff | `diff::diff` | `Tree`, `Manifests<Validated>` | `ChangeSet` |
//! | publish | `edge::git`; `ops::pull_request` with `edge::gitea` | `ChangeSet` | a commit on the branch, or a pull request |
//!
//! `ops::decide` is see to diff, the middle of every command, and pure when the inventories are files; `ops::reconcile` is
//! all of it, and `ops::rollout` follows its commit through Flux, which `edge::receiver` tells of it. `ops::doctor` looks at
//! what `ops::decide` loads, `ops::trust` writes down whose it is, and `ops::comment` shows it on a pull request. `ops::pin`
//! makes and checks the `Pins`: `edge::registry` asks, and [`pins`] decides what the answers mean.
//!
//! # Invariants
//!
//! - What is not known is held: [`model::observed::Observed::Unknown`] never leads to a removal.
//! - A source of a cluster is read whole, from one moment, or it is unknown. Nothing is ever written to a cluster.
//! - A layer that is held keeps its committed files as they are.
//! - Only files below `clusters/<name>/manifests/` and `clusters/<name>/state.yaml` are ever written, and only such that
//!   carry the mark of this program; but for `init`, for the one line that `trust` writes into a `cluster.yaml`, for the
//!   entries of `pins.yaml` that `pin update` writes, and for the block of records in a Corefile whose file `cluster.yaml`
//!   names: of that file nothing else changes.
//! - A branch is replaced only while it holds the commit that was read in the same run, and what became of it is what a
//!   fresh look at it shows; what nobody can see is called unknown.
//! - Every OCI reference that is written has a digest, or its layer is held.
//! - The same inputs give the same bytes.

pub mod model;

pub mod config;

pub mod manifest;

pub mod pins;

pub mod dns;

pub mod platform;

pub mod plan;

pub mod render;

pub mod diff;

pub mod edge;

pub mod ops;

pub mod cli;
