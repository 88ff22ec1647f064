// SPDX-License-Identifier: Apache-2.0
//! Base64, PEM and as much DER as reading and writing keys takes.

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// Standard base64 with padding, on one line.
pub fn base64(bytes: &[u8]) -> String {
    let mut out = String::new();
    for chunk in bytes.chunks(3) {
        let word =
            chunk.iter().fold(0u32, |word, byte| word << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let index = word >> (18 - 6 * place) & 63;
            out.push(if place <= chunk.len() { char::from(ALPHABET[index as usize]) } else { '=' });
        }
    }
    out
}

/// The bytes of standard base64 text; white space is skipped. `None` when it is anything else.
pub fn unbase64(text: &str) -> Option<Vec<u8>> {
    let chars: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
    if !chars.len().is_multiple_of(4) {
        return None;
    }
    let pads = chars.iter().rev().take_while(|c| **c == b'=').count();
    let mut out = Vec::new();
    for quad in chars[..chars.len() - pads].chunks(4) {
        let mut word = 0u32;
        for c in quad {
            word = word << 6 | u32::try_from(ALPHABET.iter().position(|known| known == c)?).ok()?;
        }
        word <<= 6 * (4 - quad.len());
        out.extend_from_slice(&word.to_be_bytes()[1..quad.len()]);
    }
    (pads <= 2).then_some(out)
}

/// Wraps DER into PEM with lines of 64 characters.
pub(crate) fn armour(label: &str, der: &[u8]) -> String {
    let text = base64(der);
    let mut out = format!("-----BEGIN {label}-----\n");
    for at in (0..text.len()).step_by(64) {
        out.push_str(&text[at..text.len().min(at + 64)]);
        out.push('\n');
    }
    out.push_str(&format!("-----END {label}-----\n"));
    out
}

/// Every section of a PEM text: its label and its DER bytes.
pub(crate) fn sections(text: &str) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for part in text.split("-----BEGIN ").skip(1) {
        let Some((label, rest)) = part.split_once("-----") else { continue };
        let Some((body, _)) = rest.split_once("-----END ") else { continue };
        if let Some(der) = unbase64(body) {
            found.push((label.to_owned(), der));
        }
    }
    found
}

/// One DER element: tag, length, the parts one after another.
pub(crate) fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let len = (body.len() as u64).to_be_bytes();
    let len = &len[len.iter().take_while(|byte| **byte == 0).count()..];
    let mut out = vec![tag];
    match len {
        [] => out.push(0),
        [short] if *short < 0x80 => out.push(*short),
        long => {
            out.push(0x80 | long.len() as u8);
            out.extend_from_slice(long);
        }
    }
    out.extend_from_slice(&body);
    out
}

/// Takes one DER element of this tag off the front: its content and what follows it.
pub(crate) fn take(tag: u8, input: &[u8]) -> Option<(&[u8], &[u8])> {
    let (first, rest) = input.split_first()?;
    let (short, rest) = rest.split_first()?;
    let (len, rest) = match short {
        0..=0x7f => (usize::from(*short), rest),
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(short & 0x7f))?;
            (digits.iter().fold(0, |len, digit| len << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    if *first == tag { rest.split_at_checked(len) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_matches_the_vectors_of_rfc_4648() {
        for (plain, text) in [
            ("", ""),
            ("f", "Zg=="),
            ("fo", "Zm8="),
            ("foo", "Zm9v"),
            ("foobar", "Zm9vYmFy"),
            ("fooba", "Zm9vYmE="),
        ] {
            assert_eq!(base64(plain.as_bytes()), text);
            assert_eq!(unbase64(text).unwrap(), plain.as_bytes());
        }
        assert_eq!(unbase64("Zg="), None);
        assert_eq!(unbase64("Zg-_"), None);
    }

    #[test]
    fn der_lengths_are_minimal_and_read_back() {
        for len in [0usize, 1, 127, 128, 255, 256, 70_000] {
            let element = der(0x04, &[&vec![9; len]]);
            let (body, rest) = take(0x04, &element).unwrap();
            assert_eq!((body.len(), rest.len()), (len, 0));
            assert_eq!(
                element.len() - len,
                if len < 128 {
                    2
                } else if len < 256 {
                    3
                } else if len < 65_536 {
                    4
                } else {
                    5
                }
            );
        }
    }
}
