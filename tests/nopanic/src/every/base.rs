// SPDX-License-Identifier: Apache-2.0
//! mender-base.

use mender_base::base64::{self, Decoder};
use mender_base::event::{self, Level};
use mender_base::json::{self, Scanner};
use mender_base::pairs::{self, Pairs};
use mender_base::sha256::{self, Hasher, Soft};
use mender_base::text::{self, Decimal};
use mender_base::words::ModuleState;
use mender_base::{Error, Event, Status, glob};
use nopanic::any::{any, part, see};

pub(crate) fn every() {
    tables();
    texts();
    hashes();
    pair_lists();
    json_texts();
}

fn tables() {
    let error: Error = any();
    see((Error::number(error), Error::text(error), Error::advice(error), Error::name(error)));
    see((Error::c_text(error), Error::from_number(any()), Error::number_of(any())));
    let happened: Event = any();
    see((Event::number(happened), Event::text(happened), Event::name(happened)));
    see(Level::name(Event::level(happened)));
    see(Event::from_number(any()));
    event::render(any(), any(), any(), any(), &mut |piece| see(piece));
    see(ModuleState::name(any()));
    see((Status::name(any()), Status::is_final(any())));
}

fn texts() {
    see(text::text::<17>(any()));
    let mut bounded = text::Text::<17>::new();
    see(text::assign(&mut bounded, any()));
    see(bounded.as_str());
    see(Decimal::as_str(&Decimal::new(any())));
    see(text::utf8(any()));
    see((text::parse_decimal(any()), text::parse_u32(any())));
    let mut number: u64 = any();
    see((text::divide(&mut number, any()), number));
    see(text::hex_digit(any()));
    see(text::is_uuid(any()));
    see(text::same_word(any(), any()));
    see(glob::matches(any(), any()));
}

fn hashes() {
    see(sha256::digest::<Soft>(any()));
    let mut hash: Soft = Hasher::new();
    while any() {
        Soft::update(&mut hash, any());
        see(Soft::finish(&mut hash.clone()));
        Soft::restart(&mut hash);
        Hasher::restart(&mut hash);
    }
    see(base64::encode_group(any()));
    let mut decoder = Decoder::new();
    while any() {
        see(Decoder::push(&mut decoder, any()));
        see(Decoder::is_complete(&decoder));
    }
}

fn pair_lists() {
    let mut list = Pairs::<99>::new();
    while any() {
        if let Some(other) = Pairs::<99>::from_bytes(any()) {
            list = other;
        }
        if any() {
            Pairs::clear(&mut list);
        }
        see(Pairs::push(&mut list, any(), any()).is_ok());
        see(Pairs::as_bytes(&list));
        Pairs::iter(&list).for_each(see);
        see((Pairs::len(&list), Pairs::is_empty(&list), Pairs::get(&list, any())));
    }
    pairs::iter(any()).for_each(see);
    see(pairs::get(any(), any()));
    let mut bytes = heapless::Vec::<u8, 99>::new();
    while any() {
        see(pairs::push(&mut bytes, any(), any(), any()).is_ok());
        see(pairs::extend(&mut bytes, any(), any()));
        see(bytes.as_slice());
    }
}

fn json_texts() {
    let mut memory: [u8; 64] = any();
    let mut scanner = if any() { Scanner::new() } else { Scanner::default() };
    while any() {
        see((Scanner::feed(&mut scanner, &mut any(), part(&mut memory)), Scanner::len(&scanner)));
        see((Scanner::depth(&scanner), Scanner::finish(&scanner)));
    }
    see(json::text_of(any(), any()));
}
