//! A connection that breaks after any byte leaves the old commit or the new one, and the run says which.
#![expect(clippy::disallowed_methods, reason = "these tests take the time")]

use std::time::{Duration, Instant};

use crate::support::{
    cli::finish,
    fault_proxy::{Direction, Fault, FaultProxy, Then},
    git_server::Script,
    network::{Answers, Branch, Network, end},
    thorough::{sample, share, size, tell},
};

/// How far cuts are apart, in bytes.
const STRIDE: usize = 48;

/// The longest that a run may take here: a deadline, and five seconds.
const LONGEST: Duration = Duration::from_secs(10);

/// A server with a proxy before it.
struct Cable {
    network: Network,
    proxy: FaultProxy,
}

/// What one cut came to.
struct Cut {
    code: Option<i32>,
    branch: Branch,
    took: Duration,
}

impl Cable {
    fn new(answers: Answers) -> Self {
        let network = Network::new(answers);
        let proxy = FaultProxy::start(network.server.port());
        Self { network, proxy }
    }

    fn cut(&self, fault: Fault) -> Cut {
        let moment = format!("{fault:?}");
        self.network.reset();
        self.proxy.begin(fault);
        let start = Instant::now();
        let url = self.network.server.url_at(self.proxy.port());
        let ran = finish(&mut self.network.sandbox.command(&Network::words(&url)));
        let took = start.elapsed();
        assert!(took < LONGEST, "{moment}: {took:?}: {}", ran.told());
        self.proxy.settled();
        let branch = self.network.expect_true(&ran, &moment);
        if let Fault::Cut { then: Then::Heals, .. } = fault {
            // One broken connection is made again.
            assert_eq!(ran.code, Some(0), "{moment}: {}", ran.told());
        }
        self.network.expect_convergence(branch, &moment);
        Cut { code: ran.code, branch, took }
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.network.sandbox.expect_sound();
    }
}

#[test]
fn a_run_whose_connection_breaks_after_any_byte_tells_the_truth_and_the_next_one_converges() {
    let start = Instant::now();
    let mut cuts = Vec::new();
    for (answers, wanted) in [(Answers::InParts, 3), (Answers::AtOnce, 1), (Answers::Older, 1)] {
        let cable = Cable::new(answers);
        cable.proxy.begin(Fault::None);
        finish(&mut cable.network.sandbox.command(&Network::words(&cable.network.server.url_at(cable.proxy.port()))))
            .expect(0);
        let whole = cable.proxy.settled();
        let mut faults = Vec::new();
        for (direction, total) in [(Direction::ToServer, whole.to_server), (Direction::ToClient, whole.to_client)] {
            for after in (0..total).step_by(STRIDE) {
                faults.extend([Then::Heals, Then::StaysDown].map(|then| Fault::Cut { direction, after, then }));
            }
        }
        drop(cable);
        // Those before the first byte are always among them: one run has no trouble, and one cannot get anywhere.
        let others = faults.split_off(2);
        faults.extend(sample(others, wanted));
        cuts.extend(share(&faults, size(2, 12), || Cable::new(answers), |cable, fault| cable.cut(*fault)));
    }
    let count = |code| cuts.iter().filter(|cut| cut.code == Some(code)).count();
    let [done, failed, doubtful] = [0, 6, 9].map(count);
    let landed = cuts.iter().filter(|cut| cut.branch == Branch::New).count();
    let longest = cuts.iter().map(|cut| cut.took).max().unwrap_or_default();
    assert!(done > 0 && failed > 0, "cuts are spread over the whole exchange");
    assert_eq!(done + failed + doubtful, cuts.len(), "there are no other ends");
    tell(
        format!(
            "{} cuts, {landed} landed; exit codes 0: {done}, 6: {failed}, 9: {doubtful}; the longest run took {longest:?}",
            cuts.len()
        ),
        start.elapsed(),
    );
}

#[test]
fn a_commit_that_the_server_took_and_nobody_can_see_is_in_doubt() {
    let network = Network::new(Answers::InParts);
    network.hold_first_push("exit 0");
    let run = network.start_held(&network.server.url());
    let (status, headers, body) = ("503 Service Unavailable", Vec::new(), b"maintenance".to_vec());
    network.server.script(Script { path: "/", times: usize::MAX, status, headers, body });
    network.let_go();
    let ran = end(run).expect(9);
    assert_eq!(network.expect_true(&ran, "down after the push"), Branch::New);
    assert!(ran.stdout.contains(&network.sandbox.tip()), "the commit is named: {}", ran.told());
}

#[test]
fn a_refusal_says_nothing_of_a_push_before_it_that_got_no_answer() {
    let network = Network::new(Answers::InParts);
    let proxy = FaultProxy::start(network.server.port());
    network.hold_first_push("echo 'the quota is used up' >&2; exit 1");
    let run = network.start_held(&network.server.url_at(proxy.port()));
    // Breaks the connection that the answer would come over.
    proxy.begin(Fault::None);
    let ran = end(run).expect(9);
    assert!(ran.stdout.contains("the quota is used up"), "{}", ran.told());
    assert_eq!(network.sandbox.tip(), network.settings);
    network.let_go();
    assert_eq!(network.expect_true(&ran, "the first push arrives late"), Branch::New);
}

#[test]
fn a_run_asks_a_server_for_each_thing_once() {
    let reading = ["GET info/refs?service=git-upload-pack", "POST git-upload-pack"];
    let pushing = ["GET info/refs?service=git-receive-pack", "POST git-receive-pack"];
    // The branches, the tip, its files where they come apart, and what came before it; and in the end a fresh look.
    for (answers, questions) in [(Answers::InParts, 4), (Answers::AtOnce, 3)] {
        let network = Network::new(answers);
        network.undisturbed().expect(0);
        network.server.settled();
        let base = "/remote.git/";
        let asked = network.server.requests().into_iter().map(|request| {
            format!("{} {}", request.method, request.path.strip_prefix(base).expect("there is one repository"))
        });
        let expected = reading[..1].iter().chain(std::iter::repeat_n(&reading[1], questions)).chain(&pushing);
        let expected: Vec<_> = expected.chain(&reading[1..]).map(|line| (*line).to_owned()).collect();
        assert_eq!(asked.collect::<Vec<_>>(), expected, "{answers:?}");
    }
}
