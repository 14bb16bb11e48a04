//! The texts of the records.

use super::random::Random;

pub(crate) const FIRST_NAMES: [&str; 10] =
    ["Ada", "Alan", "Barbara", "Donald", "Edsger", "Frances", "Grace", "John", "Leslie", "Niklaus"];
pub(crate) const LAST_NAMES: [&str; 10] =
    ["Allen", "Dijkstra", "Hamilton", "Hopper", "Knuth", "Lamport", "Liskov", "Lovelace", "Turing", "Wirth"];
pub(crate) const CITIES: [&str; 10] =
    ["Phoenix", "Los Angeles", "San Francisco", "Boise", "Portland", "Bend", "Redmond", "Seattle", "Kent", "Cheyenne"];
pub(crate) const STATES: [&str; 6] = ["AZ", "CA", "ID", "OR", "WA", "WY"];

/// Half of all bids come over one of these.
const HOT_CHANNELS: [&str; 4] = ["Google", "Facebook", "Baidu", "Apple"];
/// The other half come over one of this many.
const CHANNELS: u64 = 10_000;

/// The channel of a bid and the page behind it; a channel always has the same page.
pub(crate) fn channel_and_url(random: &mut Random) -> (String, String) {
    if random.below(2) == 0 {
        let hot = random.below(HOT_CHANNELS.len() as u64);
        return (HOT_CHANNELS[hot as usize].to_owned(), page(CHANNELS + hot));
    }
    let channel = random.below(CHANNELS);
    let mut url = page(channel);
    if !channel.is_multiple_of(10) {
        url += "&channel_id=";
        push_number(&mut url, u64::from((channel as u32).reverse_bits()));
    }
    let mut name = String::with_capacity(12);
    name += "channel-";
    push_number(&mut name, channel);
    (name, url)
}

/// A page of three directories that depend on its number alone.
fn page(number: u64) -> String {
    let mut random = Random::new(0, number);
    let mut url = String::with_capacity(80);
    url += "https://www.nexmark.com/";
    for _ in 0..3 {
        push_letters(&mut url, &mut random, 5);
        url.push('/');
    }
    url += "item.htm?query=1";
    url
}

/// Appends a number in decimal digits; several times faster than `format!`, and there are millions.
pub(crate) fn push_number(text: &mut String, number: u64) {
    if number >= 10 {
        push_number(text, number / 10);
    }
    text.push(char::from(b'0' + (number % 10) as u8));
}

/// Appends `count` lower-case letters.
pub(crate) fn push_letters(text: &mut String, random: &mut Random, count: usize) {
    let (mut left, mut word) = (0, 0);
    for _ in 0..count {
        if left == 0 {
            (left, word) = (8, random.next()); // eight letters take 38 of the 64 bits
        }
        // The upper half of a product is the letter; what is below it, the rest to draw from.
        let product = u128::from(word) * 26;
        text.push(char::from(b'a' + (product >> 64) as u8));
        (left, word) = (left - 1, product as u64);
    }
}

/// A few words of at most `longest` letters together.
pub(crate) fn words(random: &mut Random, longest: u64) -> String {
    let mut left = 3 + random.below(longest - 3) as usize;
    let mut text = String::with_capacity(left);
    loop {
        let word = (1 + random.below(12) as usize).min(left);
        push_letters(&mut text, random, word);
        left -= word;
        if left < 2 {
            return text;
        }
        text.push(' ');
        left -= 1;
    }
}

/// Letters that bring a record of `size` bytes to `average` bytes, more or less a fifth of what is missing.
pub(crate) fn padding(random: &mut Random, size: usize, average: usize) -> String {
    let missing = average.saturating_sub(size);
    let spread = missing / 5;
    let length = missing - spread + random.below(2 * spread as u64 + 1) as usize;
    let mut text = String::with_capacity(length);
    push_letters(&mut text, random, length);
    text
}
