//! The program: words, folder and time in, exit code out.

#![expect(clippy::disallowed_methods, reason = "what the world gives is read here and passed in")]

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let here = std::env::current_dir().unwrap_or_default();
    let kubeconfigs = match std::env::var_os("KUBECONFIG").filter(|paths| !paths.is_empty()) {
        Some(paths) => std::env::split_paths(&paths).filter(|path| !path.as_os_str().is_empty()).collect(),
        None => std::env::home_dir().map(|home| home.join(".kube/config")).into_iter().collect(),
    };
    let home = std::env::home_dir();
    let folder = |name: &str, in_home: &str| match std::env::var_os(name).filter(|path| !path.is_empty()) {
        Some(path) => Some(std::path::PathBuf::from(path)),
        None => home.as_ref().map(|home| home.join(in_home)),
    };
    let docker_config = folder("DOCKER_CONFIG", ".docker").map(|folder| folder.join("config.json"));
    let cache = folder("XDG_CACHE_HOME", ".cache").map(|folder| folder.join("bobbypin"));
    let variables = bobbypin::cli::Variables::of(std::env::vars_os());
    let now = jiff::Timestamp::now();
    let world = bobbypin::cli::World { here, now, kubeconfigs, docker_config, cache, variables };
    bobbypin::cli::run(std::env::args_os(), world)
}
