use super::*;

const PUBLIC: Reach = Reach { private: false, loopback: false };
const PRIVATE: Reach = Reach { private: true, loopback: false };
const LOOPBACK: Reach = Reach { private: false, loopback: true };

fn is_let_through(reach: Reach, host: &str) -> bool {
    reach.check(&Url::parse(&format!("https://{host}/v2/")).unwrap()).is_ok()
}

#[test]
fn an_address_is_let_through_by_what_it_is() {
    for (host, allowed) in [
        ("203.0.113.7", [true, true, true]),
        ("[2001:db8::7]", [true, true, true]),
        ("registry.example.org", [true, true, true]),
        ("10.1.2.3", [false, true, false]),
        ("172.16.0.1", [false, true, false]),
        ("172.31.255.255", [false, true, false]),
        ("172.32.0.1", [true, true, true]),
        ("192.168.1.1", [false, true, false]),
        ("100.64.0.1", [false, true, false]),
        ("100.127.255.255", [false, true, false]),
        ("100.128.0.1", [true, true, true]),
        ("198.18.0.1", [false, true, false]),
        ("[fd12::1]", [false, true, false]),
        ("[fc00::1]", [false, true, false]),
        ("[::ffff:10.1.2.3]", [false, true, false]),
        ("[64:ff9b::10.1.2.3]", [false, true, false]),
        ("127.0.0.1", [false, false, true]),
        ("127.9.9.9", [false, false, true]),
        // All of these are 127.0.0.1.
        ("2130706433", [false, false, true]),
        ("0x7f.1", [false, false, true]),
        ("0177.0.0.1", [false, false, true]),
        ("127.1", [false, false, true]),
        ("%31%32%37.0.0.1", [false, false, true]),
        ("[::1]", [false, false, true]),
        ("[::ffff:127.0.0.1]", [false, false, true]),
        ("169.254.169.254", [false, false, false]),
        ("2852039166", [false, false, false]),
        ("[::ffff:169.254.169.254]", [false, false, false]),
        ("[2002:a9fe:a9fe::]", [false, false, false]),
        ("100.100.100.200", [false, false, false]),
        ("192.0.0.192", [false, false, false]),
        ("[fe80::1]", [false, false, false]),
        ("[fec0::1]", [false, false, false]),
        ("[fd00:ec2::254]", [false, false, false]),
        ("0.0.0.0", [false, false, false]),
        ("0.1.2.3", [false, false, false]),
        ("[::]", [false, false, false]),
        ("224.0.0.1", [false, false, false]),
        ("240.0.0.1", [false, false, false]),
        ("255.255.255.255", [false, false, false]),
        ("[ff02::1]", [false, false, false]),
    ] {
        assert_eq!([PUBLIC, PRIVATE, LOOPBACK].map(|reach| is_let_through(reach, host)), allowed, "{host}");
    }
}

#[test]
fn of_the_addresses_of_a_name_those_are_taken_that_may_be() {
    let found =
        |addresses: &[&str]| -> Vec<IpAddr> { addresses.iter().map(|address| address.parse().unwrap()).collect() };
    let (bad, good) = (found(&["10.0.0.1", "127.0.0.1"]), found(&["203.0.113.7"]));
    let both = [bad.clone(), good.clone()].concat();
    assert_eq!(PUBLIC.filter("a.example", both), Ok(good));
    let error = PUBLIC.filter("a.example", bad).unwrap_err();
    assert_eq!(
        error.to_string(),
        "`a.example` leads to 10.0.0.1, an address of a private network, where only a registry is looked for that is set as private"
    );
    assert_eq!(PUBLIC.filter("a.example", Vec::new()), Ok(Vec::new()));
}

#[test]
fn this_machine_is_known_by_its_names() {
    for (host, is_it) in [
        ("localhost", true),
        ("LOCALHOST:5000", true),
        ("shop.localhost", true),
        ("127.0.0.1:5000", true),
        ("[::1]:5000", true),
        ("localhost.example.org", false),
        ("0.0.0.0", false),
        ("10.0.0.1", false),
    ] {
        let url = Url::parse(&format!("https://{host}/")).unwrap();
        assert_eq!(is_written_loopback(&url), is_it, "{host}");
    }
}
