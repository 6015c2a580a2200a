//! What mode `external-dns` makes of a host (`internal/externaldns`).

use sha2::{Digest, Sha256};

/// The longest name of an object.
const MAX_NAME: usize = 253;

/// Whether the controller makes a record of a normalised host at all. Others are left out.
pub fn takes(host: &str) -> bool {
    let is_allowed =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'.' | b'_' | b'-');
    !host.is_empty() && host.bytes().all(is_allowed)
}

/// The name of the object for a host. `suffix` is `-v4` or `-v6` where the proxy has addresses of both families.
///
/// Different hosts may have one name: `a.b.example.org` and `a-b.example.org`. The later one is then refused for ever.
pub fn object_name(host: &str, suffix: &str) -> String {
    let name = format!("ouroboros-{}", host.replace(['.', '_'], "-"));
    if name.len() + suffix.len() <= MAX_NAME {
        return name + suffix;
    }
    let sum = Sha256::digest(format!("{host}{suffix}"));
    let tail = format!("-{:02x}{:02x}{:02x}{:02x}{suffix}", sum[0], sum[1], sum[2], sum[3]);
    let room = MAX_NAME - tail.len();
    name[..name.floor_char_boundary(room)].to_owned() + &tail
}
