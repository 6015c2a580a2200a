//! For `git apply`, byte for byte.

use std::fmt::Write as _;

use similar::DiffTag;

use crate::diff::{ChangeSet, FileChange, lines};

/// The id that stands for "no file".
const NOTHING: &str = "0000000000000000000000000000000000000000";

/// The changes as `git apply` takes them: applied to the tree that was compared, it gives exactly the wanted bytes.
///
/// Text that is not UTF-8 or holds a zero byte is written as Git writes binary files. Where the committed file holds a
/// `Secret`, its text is withheld and the patch is exact all the same: Git knows the committed bytes by their id, so a
/// deletion needs no text, and a change only the new one. Nothing else is masked here.
///
/// A file that changes is named without its mode, which this program does not read and `git apply` keeps.
pub fn patch(change_set: &ChangeSet) -> String {
    let mut out = String::new();
    for file in &change_set.files {
        write_file(&mut out, file);
    }
    out
}

fn write_file(out: &mut String, file: &FileChange) {
    let (old, new) = (file.old.as_deref(), file.new.as_deref());
    let [a, b] = ["a/", "b/"].map(|side| quoted(&format!("{side}{}", file.path)));
    let _ = writeln!(out, "diff --git {a} {b}");
    match (old, new) {
        (None, Some(_)) => out.push_str("new file mode 100644\n"),
        (Some(_), None) => out.push_str("deleted file mode 100644\n"),
        _ => {}
    }
    let _ = writeln!(out, "index {}..{}", blob_id(old), blob_id(new));
    match (as_text(old), as_text(new)) {
        (Some(old_text), Some(new_text)) if !file.holds_secret => {
            // An empty file that comes or goes has no lines, and no names before them.
            if old_text != new_text {
                let _ = writeln!(out, "--- {}", old.map_or_else(|| "/dev/null".to_owned(), |_| ended(&a)));
                let _ = writeln!(out, "+++ {}", new.map_or_else(|| "/dev/null".to_owned(), |_| ended(&b)));
                write_hunks(out, old_text, new_text);
            }
        }
        _ => match new {
            None => {
                let _ = writeln!(out, "Binary files {a} and /dev/null differ");
            }
            Some(new) => write_binary(out, new),
        },
    }
}

fn write_hunks(out: &mut String, old: &str, new: &str) {
    let (old, new) = (lines::split(old), lines::split(new));
    for group in lines::groups(&old, &new, 3) {
        let (first, last) = (&group[0], &group[group.len() - 1]);
        let old_range = first.old_range().start..last.old_range().end;
        let new_range = first.new_range().start..last.new_range().end;
        let _ = writeln!(out, "@@ -{} +{} @@", numbers(&old_range), numbers(&new_range));
        for operation in &group {
            match operation.tag() {
                DiffTag::Equal => write_lines(out, ' ', &new[operation.new_range()]),
                DiffTag::Delete | DiffTag::Insert | DiffTag::Replace => {
                    write_lines(out, '-', &old[operation.old_range()]);
                    write_lines(out, '+', &new[operation.new_range()]);
                }
            }
        }
    }
}

fn write_lines(out: &mut String, sign: char, lines: &[&str]) {
    for line in lines {
        out.push(sign);
        out.push_str(line);
        if !line.ends_with('\n') {
            out.push_str("\n\\ No newline at end of file\n");
        }
    }
}

/// The first line and the number of lines. Lines count from 1, and an empty range stands after its first line.
fn numbers(range: &std::ops::Range<usize>) -> String {
    let start = if range.is_empty() { range.start } else { range.start + 1 };
    format!("{start},{}", range.len())
}

/// A name in a `---` or `+++` line: a tab ends one with spaces, since other programs write a date after it.
fn ended(name: &str) -> String {
    let tab = if name.contains(' ') { "\t" } else { "" };
    format!("{name}{tab}")
}

/// A path as Git quotes it: as it is, or between quotes with octal escapes.
fn quoted(path: &str) -> String {
    if path.bytes().all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'"' | b'\\')) {
        return path.to_owned();
    }
    let mut out = String::from("\"");
    for byte in path.bytes() {
        match byte {
            b'"' | b'\\' => out.extend(['\\', char::from(byte)]),
            b' '..=b'~' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "\\{byte:03o}");
            }
        }
    }
    out.push('"');
    out
}

/// What Git takes for text, and what can stand in a patch that is a `String`. No file is an empty text.
fn as_text(bytes: Option<&[u8]>) -> Option<&str> {
    std::str::from_utf8(bytes.unwrap_or_default()).ok().filter(|text| !text.contains('\0'))
}

fn blob_id(bytes: Option<&[u8]>) -> String {
    bytes.map_or_else(
        || NOTHING.to_owned(),
        |bytes| {
            let id = git2::Oid::hash_object(git2::ObjectType::Blob, bytes);
            id.expect("hashing a blob in memory has nothing that can fail").to_string()
        },
    )
}

/// Writes the whole of a file in Git's form for binary files: zlib in base 85. The way back is left out, Git does without.
fn write_binary(out: &mut String, bytes: &[u8]) {
    let _ = writeln!(out, "GIT binary patch\nliteral {}", bytes.len());
    for chunk in stored(bytes).chunks(52) {
        let length = u8::try_from(chunk.len()).expect("a chunk has at most 52 bytes");
        out.push(char::from(if length <= 26 { b'A' + length - 1 } else { b'a' + length - 27 }));
        for group in chunk.chunks(4) {
            let mut word = [0; 4];
            word[..group.len()].copy_from_slice(group);
            out.push_str(&base85(u32::from_be_bytes(word)));
        }
        out.push('\n');
    }
    out.push('\n');
}

/// A zlib stream that holds the bytes without compressing them.
fn stored(bytes: &[u8]) -> Vec<u8> {
    let mut out = vec![0x78, 0x01];
    let mut blocks = bytes.chunks(0xffff).peekable();
    if bytes.is_empty() {
        out.extend([1, 0, 0, 0xff, 0xff]);
    }
    while let Some(block) = blocks.next() {
        let length = u16::try_from(block.len()).expect("a block has at most 65535 bytes");
        out.push(u8::from(blocks.peek().is_none()));
        out.extend(length.to_le_bytes());
        out.extend((!length).to_le_bytes());
        out.extend(block);
    }
    // Adler-32.
    let (low, high) = bytes.iter().fold((1u32, 0u32), |(low, high), byte| {
        let low = (low + u32::from(*byte)) % 65521;
        (low, (high + low) % 65521)
    });
    out.extend((high << 16 | low).to_be_bytes());
    out
}

fn base85(mut word: u32) -> String {
    const DIGITS: &[u8; 85] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz!#$%&()*+-;<=>?@^_`{|}~";
    let mut digits = [0; 5];
    for digit in digits.iter_mut().rev() {
        *digit = DIGITS[(word % 85) as usize];
        word /= 85;
    }
    digits.map(char::from).iter().collect()
}
