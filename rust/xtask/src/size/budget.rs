// SPDX-License-Identifier: Apache-2.0
//! `tests/footprint/budget.toml`: sections with two numbers each.

/// Bytes of flash and of RAM.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Bytes {
    pub(crate) flash: u64,
    pub(crate) ram: u64,
}

impl Bytes {
    /// What there is more in these than in those, and nothing where there is less.
    pub(crate) fn beyond(self, less: Self) -> Self {
        Self { flash: self.flash.saturating_sub(less.flash), ram: self.ram.saturating_sub(less.ram) }
    }
}

/// A section of the file.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Limit {
    pub(crate) name: String,
    pub(crate) bytes: Bytes,
}

/// The sections in their order. Of TOML it reads what the file has: sections, whole numbers, comments.
pub(crate) fn parse(text: &str) -> Result<Vec<Limit>, String> {
    let mut limits: Vec<Limit> = Vec::new();
    for (number, line) in text.lines().enumerate() {
        let wrong = || format!("budget.toml:{}: not understood: {line}", number + 1);
        let line = line.split('#').next().unwrap_or_default().trim();
        if line.is_empty() {
            continue;
        }
        if let Some(name) = line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            limits.push(Limit { name: name.to_owned(), bytes: Bytes::default() });
            continue;
        }
        let (key, value) = line.split_once('=').ok_or_else(wrong)?;
        let value = value.trim().parse().ok().ok_or_else(wrong)?;
        let bytes = &mut limits.last_mut().ok_or_else(wrong)?.bytes;
        match key.trim() {
            "flash" => bytes.flash = value,
            "ram" => bytes.ram = value,
            _ => return Err(wrong()),
        }
    }
    Ok(limits)
}

/// What is to be said about a figure beside its limit: whether it is too much, and the words.
pub(crate) fn judge(name: &str, what: &str, is: u64, limit: u64) -> Option<(bool, String)> {
    if is > limit {
        let over = is - limit;
        return Some((true, format!("{name}: {is} bytes of {what}, {over} over the budget of {limit}")));
    }
    // 5 % under.
    if is.saturating_mul(100) < limit.saturating_mul(95) {
        let told =
            format!("{name}: {is} bytes of {what}, budget {limit}: lower it in tests/footprint/budget.toml");
        return Some((false, told));
    }
    None
}

/// How far a variant is from what it is to come down to.
pub(crate) fn distance(name: &str, is: Bytes, target: Bytes) -> String {
    let Bytes { flash, ram } = is.beyond(target);
    if (flash, ram) == (0, 0) {
        return format!("{name} has reached the target of {}/{}", target.flash, target.ram);
    }
    format!("{name} is {flash}/{ram} above the target of {}/{}", target.flash, target.ram)
}

#[cfg(test)]
mod own_tests {
    use super::*;

    #[test]
    fn sections_have_two_numbers() {
        let text = "# x\n[a]\nflash = 10 # more\nram=2\n\n[b]\nram = 3\n";
        let bytes = |flash, ram| Bytes { flash, ram };
        let limits = vec![
            Limit { name: "a".into(), bytes: bytes(10, 2) },
            Limit { name: "b".into(), bytes: bytes(0, 3) },
        ];
        assert_eq!(parse(text), Ok(limits));
    }

    #[test]
    fn what_is_not_understood_is_named() {
        for text in ["flash = 1", "[a]\nflash", "[a]\nflash = x", "[a]\nrom = 1"] {
            assert!(parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn too_much_fails_and_five_percent_less_is_told() {
        assert_eq!(judge("a", "RAM", 101, 100).map(|(over, _)| over), Some(true));
        assert_eq!(judge("a", "RAM", 100, 100), None);
        assert_eq!(judge("a", "RAM", 95, 100), None);
        assert_eq!(judge("a", "RAM", 94, 100).map(|(over, _)| over), Some(false));
    }

    #[test]
    fn what_is_told_names_figure_limit_and_what_to_do() {
        let told = |is| judge("default", "flash", is, 100).map(|(_, told)| told).unwrap_or_default();
        assert_eq!(told(101), "default: 101 bytes of flash, 1 over the budget of 100");
        let lower = "default: 94 bytes of flash, budget 100: lower it in tests/footprint/budget.toml";
        assert_eq!(told(94), lower);
    }

    #[test]
    fn the_way_to_the_target_is_told() {
        let bytes = |flash, ram| Bytes { flash, ram };
        let target = bytes(100, 10);
        assert_eq!(distance("a", bytes(130, 9), target), "a is 30/0 above the target of 100/10");
        assert_eq!(distance("a", bytes(100, 12), target), "a is 0/2 above the target of 100/10");
        assert_eq!(distance("a", bytes(100, 10), target), "a has reached the target of 100/10");
    }
}
