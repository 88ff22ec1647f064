// SPDX-License-Identifier: Apache-2.0
//! Which functions the firmware crates offer, and whether `tests/nopanic` names each of them.
//!
//! A scan of the source text, not a compiler: it knows as much Rust as these crates use. A public function is a `pub fn` of a module
//! or an `impl`, a function of a trait's `impl` for a public type, or a function with a body in a public trait. (The lint
//! `unreachable_pub` sees to it that what says `pub` is public.)

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The crates that are firmware.
pub(crate) const CRATES: [&str; 7] = ["base", "artifact", "api", "records", "update", "port", "client"];

/// A public function.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Function {
    /// The type or trait; for a function outside of them its module.
    pub(crate) owner: String,
    pub(crate) name: String,
    /// It belongs to no type, so it may be called by its name alone.
    pub(crate) free: bool,
}

/// Every `.rs` file below a folder, in order.
pub(crate) fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
}

/// The public functions of a crate's sources: file stems and texts.
pub(crate) fn public_functions(files: &[(String, String)]) -> BTreeSet<Function> {
    let tokens: Vec<_> = files.iter().map(|(stem, text)| (stem.as_str(), tokens(text))).collect();
    let types: BTreeSet<&str> = tokens.iter().flat_map(|(_, tokens)| public_types(tokens)).collect();
    tokens.iter().flat_map(|(stem, tokens)| functions(stem, tokens, &types)).collect()
}

/// Those of `functions` that no file of `texts` names as `Type::function`, `module::function` or, outside of types, `function`.
pub(crate) fn not_named<'f>(functions: &'f BTreeSet<Function>, texts: &[String]) -> Vec<&'f Function> {
    let mut named = BTreeSet::new();
    for text in texts {
        let tokens = without_generics(&tokens(text));
        for (i, name) in tokens.iter().enumerate() {
            let before =
                |back: usize| i.checked_sub(back).and_then(|j| tokens.get(j)).map_or("", String::as_str);
            let called = tokens.get(i + 1).is_some_and(|next| next == "(");
            if before(1) == "::" {
                named.insert((before(2).to_owned(), name.clone()));
            } else if called && !["fn", "."].contains(&before(1)) {
                named.insert((String::new(), name.clone()));
            }
        }
    }
    let is_named = |f: &&Function| {
        named.contains(&(f.owner.clone(), f.name.clone()))
            || f.free && named.contains(&(String::new(), f.name.clone()))
    };
    functions.iter().filter(|f| !is_named(f)).collect()
}

/// Words, `::`, `->` and single characters; comments, strings, characters and lifetimes are left out.
pub(crate) fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let len = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(len) = string(rest) {
            len
        } else if first == '\'' {
            character(rest)
        } else if first.is_alphanumeric() || first == '_' {
            let len = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
            tokens.push(rest[..len].to_owned());
            len
        } else if rest.starts_with("::") || rest.starts_with("->") {
            tokens.push(rest[..2].to_owned());
            2
        } else {
            if !first.is_whitespace() {
                tokens.push(first.to_string());
            }
            first.len_utf8()
        };
        rest = &rest[len..];
    }
    tokens
}

/// Length of the string literal at the start of `text`, if there is one.
fn string(text: &str) -> Option<usize> {
    let prefix =
        text.find('"').filter(|at| ["", "b", "c", "r", "br"].contains(&text[..*at].trim_end_matches('#')))?;
    let hashes = text[..prefix].matches('#').count();
    if text[..prefix].contains('r') {
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(text[prefix + 1..].find(&end).map_or(text.len(), |at| prefix + 1 + at + end.len()));
    }
    if hashes > 0 {
        return None;
    }
    let mut escaped = false;
    for (at, c) in text[prefix + 1..].char_indices() {
        match c {
            '"' if !escaped => return Some(prefix + 1 + at + 1),
            _ => escaped = c == '\\' && !escaped,
        }
    }
    Some(text.len())
}

/// Length of the character literal or lifetime at the start of `text`.
fn character(text: &str) -> usize {
    let mut chars = text.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => text[2..].find('\'').map_or(text.len(), |at| {
            // `'\''`
            if at == 0 { text[3..].find('\'').map_or(text.len(), |at| at + 4) } else { at + 3 }
        }),
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 1,
        },
        None => 1,
    }
}

/// Index behind the bracket that closes the one at `open`.
fn behind(tokens: &[String], open: usize, pair: (&str, &str)) -> usize {
    let mut depth = 0;
    for (i, token) in tokens.iter().enumerate().skip(open) {
        depth += i32::from(token == pair.0) - i32::from(token == pair.1);
        if depth == 0 {
            return i + 1;
        }
    }
    tokens.len()
}

/// `Reader::<Soft>::new` as `Reader::new`.
fn without_generics(tokens: &[String]) -> Vec<String> {
    let mut out = Vec::new();
    let mut i = 0;
    while let Some(token) = tokens.get(i) {
        if token == "::" && tokens.get(i + 1).is_some_and(|next| next == "<") {
            i = behind(tokens, i + 1, ("<", ">"));
        } else {
            out.push(token.clone());
            i += 1;
        }
    }
    out
}

fn public_types(tokens: &[String]) -> impl Iterator<Item = &str> {
    tokens
        .windows(3)
        .filter(|w| w[0] == "pub" && ["struct", "enum", "trait"].contains(&w[1].as_str()))
        .map(|w| w[2].as_str())
}

/// What a pair of braces is.
#[derive(Clone)]
enum Scope {
    /// A module, a macro, anything that may hold items.
    Items,
    /// An `impl` of a type's own functions, or of a trait for it.
    Impl {
        owner: String,
        of_trait: bool,
    },
    Trait(String),
    /// Tests, or a private type's implementation.
    Skipped,
}

fn functions(stem: &str, tokens: &[String], types: &BTreeSet<&str>) -> Vec<Function> {
    let mut found = Vec::new();
    let mut scopes = vec![Scope::Items];
    let mut head: Vec<&str> = Vec::new();
    let mut i = 0;
    while let Some(token) = tokens.get(i) {
        i += 1;
        match token.as_str() {
            // A constant in generics, not a body.
            "{" if head.last().is_some_and(|last| ["<", ","].contains(last)) && head.contains(&"fn") => {
                i = behind(tokens, i - 1, ("{", "}"));
                head.push("0");
            }
            "{" => {
                let scope = scopes.last().cloned().unwrap_or(Scope::Items);
                if let Some(at) = head.iter().position(|word| *word == "fn") {
                    found.extend(function(stem, &head, at, &scope));
                    i = behind(tokens, i - 1, ("{", "}"));
                } else {
                    scopes.push(scope_of(&head, &scope, types));
                }
                head.clear();
            }
            "}" => {
                scopes.pop();
                head.clear();
            }
            ";" if !head.contains(&"[") => head.clear(),
            word => head.push(word),
        }
        // An array type ends the protection of its semicolon.
        if head.last() == Some(&"]") && !head.contains(&"fn") {
            let open = head.iter().rposition(|word| *word == "[").unwrap_or(0);
            let is_test = head.get(open..).is_some_and(|attribute| attribute.contains(&"test"));
            head.truncate(open);
            if is_test {
                head.push("test");
            }
        }
    }
    found
}

fn scope_of(head: &[&str], outer: &Scope, types: &BTreeSet<&str>) -> Scope {
    if matches!(outer, Scope::Skipped) || head.contains(&"test") {
        return Scope::Skipped;
    }
    if let Some(at) = head.iter().position(|word| *word == "impl") {
        return implementation(&head[at + 1..], types);
    }
    if let Some(at) = head.iter().position(|word| *word == "trait") {
        let name = head.get(at + 1).copied().unwrap_or_default();
        return if types.contains(name) { Scope::Trait(name.to_owned()) } else { Scope::Skipped };
    }
    Scope::Items
}

fn implementation(head: &[&str], types: &BTreeSet<&str>) -> Scope {
    let (mut depth, mut owner, mut of_trait) = (0, "", false);
    for word in head {
        match *word {
            "<" => depth += 1,
            ">" => depth -= 1,
            "for" if depth == 0 => of_trait = true,
            "where" if depth == 0 => break,
            word if depth == 0 && word.starts_with(|c: char| c.is_alphabetic()) => owner = word,
            _ => {}
        }
    }
    if types.contains(owner) { Scope::Impl { owner: owner.to_owned(), of_trait } } else { Scope::Skipped }
}

fn function(stem: &str, head: &[&str], at: usize, scope: &Scope) -> Option<Function> {
    let name = (*head.get(at + 1)?).to_owned();
    let public =
        head[..at].iter().position(|word| *word == "pub").is_some_and(|p| head.get(p + 1) != Some(&"("));
    let (owner, free) = match scope {
        Scope::Skipped => return None,
        _ if head[..at].contains(&"test") => return None,
        Scope::Items if public => (stem.to_owned(), true),
        Scope::Impl { owner, of_trait } if public || *of_trait => (owner.clone(), false),
        Scope::Trait(owner) => (owner.clone(), false),
        Scope::Items | Scope::Impl { .. } => return None,
    };
    Some(Function { owner, name, free })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        let functions = public_functions(&[("stem".to_owned(), text.to_owned())]);
        functions
            .iter()
            .map(|f| format!("{}::{}{}", f.owner, f.name, if f.free { " free" } else { "" }))
            .collect()
    }

    #[test]
    fn public_functions_are_found_wherever_they_stand() {
        let text = r##"
            //! pub fn comment() {}
            pub struct A<const N: usize> { x: Text<{ N }> }
            struct Hidden;
            pub trait T { fn must(&self); fn may(&self) -> [u8; 4] { fn inner() {} [b'{'; 4] } }
            impl<const N: usize> A<N> {
                pub const fn new(x: [u8; 3]) -> Vec<u8, { N }> { let s = "}"; let c = '{'; todo(s, c) }
                pub(crate) fn ours(&self) {}
                fn private(&'static self) {}
            }
            impl<'a, const N: usize> Default for A<N> where [u8; N]: Copy { fn default() -> Self { r#"""#; A } }
            impl Hidden { pub fn no(&self) {} }
            pub fn free<F: Fn(u8) -> u8>(f: F) {}
            macro_rules! table { ($($n:ident;)+) => { pub enum E { $($n,)+ } impl E { pub fn of_macro(self) {} } }; }
            #[cfg(test)]
            mod tests { pub fn helper() {} }
        "##;
        assert_eq!(found(text), ["A::default", "A::new", "E::of_macro", "T::may", "stem::free free"]);
    }

    #[test]
    fn a_function_counts_as_named_by_its_path_only() {
        let functions = public_functions(&[(
            "glob".to_owned(),
            "pub struct A; impl A { pub fn a(&self) {} pub fn b() {} } pub fn matches() {} pub fn other() {}"
                .to_owned(),
        )]);
        let missing = |text: &str| {
            let names = not_named(&functions, &[text.to_owned()]);
            names.iter().map(|f| f.name.clone()).collect::<Vec<_>>()
        };
        assert_eq!(missing("A::a(&x); A::<u8>::b(); glob::matches(); other()"), [""; 0]);
        assert_eq!(
            missing("x.a(); B::b(); // A::a()\n matches; fn other() {}"),
            ["a", "b", "matches", "other"]
        );
    }
}
