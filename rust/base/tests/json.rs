// SPDX-License-Identifier: Apache-2.0
//! The scanner against serde_json: same texts accepted, same tokens, however the bytes are cut.

use mender_base::Error;
use mender_base::json::{Scanner, Token, text_of};

fn scan(input: &[u8], chunk: usize) -> Result<Vec<String>, Error> {
    let (mut s, mut text, mut out) = (Scanner::new(), [0u8; 64], Vec::new());
    for part in input.chunks(chunk) {
        let mut rest = part;
        while let Some(token) = s.feed(&mut rest, &mut text)? {
            out.push(match token {
                Token::Key => format!("k:{}", text_of(&text, s.len())),
                Token::String => format!("s:{}", text_of(&text, s.len())),
                Token::Number => format!("n:{}", text_of(&text, s.len())),
                other => format!("{other:?}"),
            });
        }
    }
    s.finish().map(|()| out)
}

#[test]
fn tokens_do_not_depend_on_how_the_text_is_cut() {
    let t = br#" {"a":[1,-2.5e+3,0,true,false,null],"b\u0026\n":{"c":"\ud83d\ude00 \u00e9 "},"":[],"d":{}} "#;
    let whole = scan(t, t.len()).unwrap();
    assert_eq!(whole.len(), 22);
    assert_eq!(whole[1], "k:a");
    assert_eq!(whole[4], "n:-2.5e+3");
    assert_eq!(whole[10], "k:b&\n");
    assert_eq!(whole[13], "s:\u{1f600} \u{e9} ");
    for chunk in 1..t.len() {
        assert_eq!(scan(t, chunk).unwrap(), whole, "chunk {chunk}");
    }
}

#[test]
fn what_serde_json_refuses_is_refused() {
    let bad: &[&[u8]] = &[
        b"",
        b"{",
        b"{}}",
        b"{}x",
        b"{\"a\"}",
        b"{\"a\":}",
        b"{\"a\":1,}",
        b"[1,]",
        b"[,1]",
        b"{,}",
        b"[1 2]",
        b"{\"a\" 1}",
        b"[01]",
        b"[1.]",
        b"[.5]",
        b"[-]",
        b"[+1]",
        b"[1e]",
        b"[1e+]",
        b"[0x1]",
        b"[tru]",
        b"[trux]",
        b"[nul]",
        b"[NaN]",
        b"{a:1}",
        b"{'a':1}",
        b"[\"\\x\"]",
        b"[\"\\u12g4\"]",
        b"[\"\\ud800\"]",
        b"[\"\\udc00\"]",
        b"[\"\\ud800\\u0041\"]",
        b"[\"\\ud800\\n\"]",
        b"[\"\xff\"]",
        b"[\"\xc3\"]",
        b"[\"\x01\"]",
        b"[\"a\nb\"]",
        b"[}",
        b"{]",
        b"[\"a\"",
        b"\xef\xbb\xbf{}",
    ];
    for b in bad {
        assert!(serde_json::from_slice::<serde_json::Value>(b).is_err());
        for chunk in [1, 2, 100] {
            assert!(scan(b, chunk).is_err(), "{:?}", String::from_utf8_lossy(b));
        }
    }
}

#[test]
fn depth_is_bounded_without_a_stack() {
    assert!(scan(&[[b'['; 8], [b']'; 8]].concat(), 100).is_ok());
    assert_eq!(scan(&[b'['; 100_000], 4096), Err(Error::JsonDepth));
    assert_eq!(scan(&b"{\"a\":".repeat(9), 4096), Err(Error::JsonDepth));
}

#[test]
fn a_text_that_does_not_fit_is_reported_and_skipped() {
    let long = "x".repeat(65);
    let t = format!("{{\"{long}\":\"{long}\",\"b\":1}}");
    let tokens = scan(t.as_bytes(), 7).unwrap();
    assert_eq!(tokens[1..4], ["LongKey", "LongValue", "k:b"]);
}
