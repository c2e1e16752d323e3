//! The forms in which a value may hide in bytes: encodings and digests that need no secret.

use std::fmt::Write as _;
use std::hash::Hasher as _;

use md5::{Digest as _, Md5};
use sha1::Sha1;
use sha2::{Sha256, Sha512};
use siphasher::sip::{SipHasher13, SipHasher24};
use xxhash_rust::xxh3::{xxh3_64, xxh3_128};

/// The fewest bytes of a form worth searching; shorter ones stand anywhere by chance.
const LEN_MIN: usize = 6;

/// The bytes of a digest that are searched: the rest follows from them.
const DIGEST_LEN: usize = 8;

/// One form of a value.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Disguise {
    /// What was done to the value.
    pub name: String,
    /// What it looks like then.
    pub bytes: Vec<u8>,
}

/// Returns every form of a value that the scanner searches, and of the value as `normalised`.
///
/// Letters of either case are searched anyway, so forms that differ by case are not listed.
pub fn disguises(value: &str, normalised: Option<&str>) -> Vec<Disguise> {
    let mut found = Vec::new();
    for (base, text) in bases(value, normalised) {
        encodings(&base, &text, &mut found);
        digests(&base, text.as_bytes(), &mut found);
    }
    if let Ok(number) = value.parse::<i64>() {
        // Seven bytes of a large number are as telling as eight, and five are not.
        if number.unsigned_abs() >= 1 << 48 {
            push(
                &mut found,
                "i64 little endian",
                number.to_le_bytes().to_vec(),
            );
            push(&mut found, "i64 big endian", number.to_be_bytes().to_vec());
        }
        push(
            &mut found,
            "f64 little endian",
            (number as f64).to_le_bytes().to_vec(),
        );
        push(
            &mut found,
            "f64 big endian",
            (number as f64).to_be_bytes().to_vec(),
        );
    }
    found.retain(|disguise| disguise.bytes.len() >= LEN_MIN);
    // Of equal bytes the plainest name is kept: names come plainest first.
    found.sort_by(|a, b| a.bytes.cmp(&b.bytes));
    found.dedup_by(|a, b| a.bytes == b.bytes);
    found
}

/// Returns the texts that stand for a value: as it came, as matching reads it, and parts of it.
fn bases(value: &str, normalised: Option<&str>) -> Vec<(String, String)> {
    let bare: String = value.chars().filter(|c| c.is_alphanumeric()).collect();
    let mut bases = vec![
        ("raw".to_owned(), value.to_owned()),
        ("lower".to_owned(), value.to_lowercase()),
        ("upper".to_owned(), value.to_uppercase()),
        ("bare".to_owned(), bare.to_lowercase()),
        ("reversed".to_owned(), value.chars().rev().collect()),
        (
            "digits".to_owned(),
            value.chars().filter(char::is_ascii_digit).collect(),
        ),
    ];
    bases.extend(normalised.map(|text| ("normalised".to_owned(), text.to_owned())));
    let words = value
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| *word != value);
    bases.extend(words.map(|word| ("word".to_owned(), word.to_lowercase())));
    // Six digits are in any report; what has letters may be shorter.
    let is_telling = |text: &str| {
        text.len() >= LEN_MIN && (text.len() >= 8 || !text.bytes().all(|b| b.is_ascii_digit()))
    };
    bases.retain(|(_, text)| is_telling(text));
    bases
}

fn push(found: &mut Vec<Disguise>, name: impl Into<String>, bytes: Vec<u8>) {
    found.push(Disguise {
        name: name.into(),
        bytes,
    });
}

fn encodings(base: &str, text: &str, found: &mut Vec<Disguise>) {
    let bytes = text.as_bytes();
    push(found, base, bytes.to_vec());
    let utf16 = || text.encode_utf16();
    push(
        found,
        format!("{base}, UTF-16LE"),
        utf16().flat_map(u16::to_le_bytes).collect(),
    );
    push(
        found,
        format!("{base}, UTF-16BE"),
        utf16().flat_map(u16::to_be_bytes).collect(),
    );
    push(
        found,
        format!("{base}, hexadecimal"),
        hex(bytes).into_bytes(),
    );
    for (alphabet, last) in [("base64", b"+/"), ("base64url", b"-_")] {
        for offset in 0..3 {
            let name = format!("{base}, {alphabet} at {offset}");
            push(found, name, base64_within(bytes, offset, *last));
        }
    }
    push(
        found,
        format!("{base}, percent-encoded"),
        percent(bytes, |_| true),
    );
    push(
        found,
        format!("{base}, percent-encoded where needed"),
        percent(bytes, |byte| {
            !byte.is_ascii_alphanumeric() && !b"-_.~".contains(&byte)
        }),
    );
}

/// Returns the characters that do not depend on what stands before and after the bytes.
fn base64_within(bytes: &[u8], offset: usize, last: [u8; 2]) -> Vec<u8> {
    const ALPHABET: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
    let mut bits = vec![false; offset * 8];
    bits.extend(
        bytes
            .iter()
            .flat_map(|byte| (0..8).rev().map(move |bit| byte >> bit & 1 == 1)),
    );
    let number = |six: &[bool]| six.iter().fold(0, |n, &bit| n << 1 | usize::from(bit));
    let letter = |n: usize| {
        ALPHABET
            .get(n)
            .copied()
            .unwrap_or_else(|| last[n - ALPHABET.len()])
    };
    bits.chunks_exact(6)
        .skip((offset * 8).div_ceil(6))
        .map(|six| letter(number(six)))
        .collect()
}

fn percent(bytes: &[u8], escapes: impl Fn(u8) -> bool) -> Vec<u8> {
    let mut text = String::new();
    for &byte in bytes {
        if escapes(byte) {
            write!(text, "%{byte:02x}").unwrap();
        } else {
            text.push(char::from(byte));
        }
    }
    text.into_bytes()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn digests(base: &str, bytes: &[u8], found: &mut Vec<Disguise>) {
    let long: [(&str, Vec<u8>); 6] = [
        ("MD5", Md5::digest(bytes).to_vec()),
        ("SHA-1", Sha1::digest(bytes).to_vec()),
        ("SHA-256", Sha256::digest(bytes).to_vec()),
        ("SHA-512", Sha512::digest(bytes).to_vec()),
        ("BLAKE3", blake3::hash(bytes).as_bytes().to_vec()),
        ("XXH3-128", xxh3_128(bytes).to_be_bytes().to_vec()),
    ];
    for (name, digest) in long {
        digest_forms(&format!("{base}, {name}"), &digest[..DIGEST_LEN], found);
    }
    let low = (xxh3_128(bytes) as u64).to_le_bytes();
    digest_forms(&format!("{base}, XXH3-128 little endian"), &low, found);
    // The standard library's `Hash` of a text ends it with a byte that no text has.
    let ended = [bytes, &[0xff]].concat();
    let short = [
        ("XXH3-64", xxh3_64(bytes)),
        ("SipHash-1-3", sip13(bytes)),
        ("SipHash-2-4", sip24(bytes)),
        ("SipHash-1-3 of Hash", sip13(&ended)),
    ];
    for (name, digest) in short {
        let name = format!("{base}, {name}");
        digest_forms(&name, &digest.to_be_bytes(), found);
        digest_forms(
            &format!("{name} little endian"),
            &digest.to_le_bytes(),
            found,
        );
        push(
            found,
            format!("{name} in decimal"),
            digest.to_string().into_bytes(),
        );
    }
}

fn digest_forms(name: &str, digest: &[u8], found: &mut Vec<Disguise>) {
    push(found, name, digest.to_vec());
    push(
        found,
        format!("{name} in hexadecimal"),
        hex(digest).into_bytes(),
    );
}

fn sip13(bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new();
    hasher.write(bytes);
    hasher.finish()
}

fn sip24(bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher24::new();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn has(value: &str, bytes: &[u8]) -> bool {
        disguises(value, None)
            .iter()
            .any(|disguise| disguise.bytes == bytes)
    }

    #[test]
    fn encodings_are_those_of_other_tools() {
        assert!(has("Canary!", b"43616e61727921".as_slice()));
        assert!(has("Canary!", b"%43%61%6e%61%72%79%21".as_slice()));
        assert!(has("a canary", b"a%20canary"));
        assert!(has("Canary!", b"!yranaC"));
        assert!(has("Canary", b"C\0a\0n\0a\0r\0y\0"));
        // base64 of "Canary!?", "xCanary!?" and "xxCanary!?".
        let within = ["Q2FuYXJ5IT8=", "eENhbmFyeSE/", "eHhDYW5hcnkhPw=="];
        for text in within {
            let forms = disguises("Canary!?", None);
            let found = |d: &Disguise| {
                d.name.starts_with("raw, base64 ")
                    && text.as_bytes().windows(d.bytes.len()).any(|w| w == d.bytes)
            };
            assert!(forms.iter().any(found), "{text}");
        }
    }

    #[test]
    fn digests_are_those_of_other_tools() {
        let raw = |text: &str| -> Vec<u8> {
            (0..8)
                .map(|i| u8::from_str_radix(&text[2 * i..2 * i + 2], 16).unwrap())
                .collect()
        };
        // Of "canary-1", by md5sum, sha1sum, sha256sum and sha512sum.
        let known = [
            "62e7af521a51a27d",
            "d7c85f6cc4b3d522",
            "8cdb95b89b37d076",
            "104e1edbd4c38cb0",
        ];
        for digest in known {
            assert!(has("canary-1", &raw(digest)), "{digest}");
            assert!(has("canary-1", digest.as_bytes()), "{digest}");
        }
    }
}
