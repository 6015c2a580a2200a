//! How the controller finds out the domain of its cluster (`internal/config/cluster_domain.go`).

/// What it takes when it finds nothing.
pub const DEFAULT: &str = "cluster.local";

/// The domain that the controller reads out of the `/etc/resolv.conf` of its pod.
///
/// The entry of a search list that most others of that list name as theirs (`svc.<entry>`, `<namespace>.svc.<entry>`). A
/// pod whose DNS settings leave the search list out falls back to [`DEFAULT`], and nothing says so.
pub fn detect(resolv_conf: &str) -> &str {
    resolv_conf.lines().filter_map(of_search_list).next().unwrap_or(DEFAULT)
}

fn of_search_list(line: &str) -> Option<&str> {
    let line = line.trim();
    let list = line.strip_prefix("search ").or_else(|| line.strip_prefix("search\t"))?;
    let entries: Vec<_> = list.split_whitespace().map(|entry| entry.strip_suffix('.').unwrap_or(entry)).collect();
    let is_candidate = |entry: &&str| !entry.is_empty() && !entry.starts_with("svc.") && !entry.contains(".svc.");
    let score = |candidate: &str| {
        let is_below = |entry: &&&str| {
            let service = entry.strip_suffix(candidate).and_then(|rest| rest.strip_suffix("svc."));
            service.is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
        };
        entries.iter().filter(is_below).count()
    };
    let mut best: Option<(usize, &str)> = None;
    for candidate in entries.iter().copied().filter(is_candidate) {
        let score = score(candidate);
        let is_better = best.is_none_or(|(most, name)| score > most || score == most && candidate.len() < name.len());
        if score > 0 && is_better {
            best = Some((score, candidate));
        }
    }
    best.map(|(_, name)| name)
}
