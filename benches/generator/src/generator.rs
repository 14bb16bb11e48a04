//! Every event as a function of the seed and of its number.

use std::ops::Range;

use super::order::Arrivals;
use super::random::Random;
use super::records::{Auction, Bid, Person};
use super::words::{
    CITIES, FIRST_NAMES, LAST_NAMES, STATES, channel_and_url, padding, push_letters, push_number, words,
};
use dualgauge_engine::{Duration, EventTime};

/// When the first event happens: 2026-01-01T00:00:00Z.
pub const START: EventTime = EventTime::from_millis(1_767_225_600_000);

/// After this many events the pattern of persons, auctions and bids begins again.
const CYCLE: u64 = 50;
/// How many events of a cycle, from its start, are persons; then follow the auctions, then the bids.
const PERSONS: u64 = 1;
const AUCTIONS: u64 = 3;
const FIRST_BID: u64 = PERSONS + AUCTIONS;
const BIDS: u64 = CYCLE - FIRST_BID;

/// Ids count from here, so that nobody mistakes one for an index.
const FIRST_ID: u64 = 1000;
/// One in this many auctions or people is hot, while they are the newest.
const HOT_EVERY: u64 = 100;
/// How many of the newest auctions are open, and so bid for.
const AUCTIONS_OPEN: u64 = 100;
/// How many of the newest people are active.
const PERSONS_ACTIVE: u64 = 1000;
/// How many ids ahead of the newest may be referred to: a reference may come before what it refers to.
const ID_LEAD: u64 = 10;

/// How many bytes records have on average, padding included.
const BID_BYTES: usize = 100;
const AUCTION_BYTES: usize = 500;
const PERSON_BYTES: usize = 200;

/// One of Nexmark's three tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Table {
    /// One event in 50.
    Persons,
    /// Three events in 50.
    Auctions,
    /// The other 46.
    Bids,
}

impl Table {
    /// All three.
    pub const ALL: [Table; 3] = [Table::Persons, Table::Auctions, Table::Bids];

    /// The table that event `number` is a row of.
    pub fn of(number: u64) -> Table {
        match number % CYCLE {
            0..PERSONS => Table::Persons,
            PERSONS..FIRST_BID => Table::Auctions,
            _ => Table::Bids,
        }
    }

    /// The table's name, which is also its directory's: `bids`.
    pub fn name(self) -> &'static str {
        match self {
            Table::Persons => "persons",
            Table::Auctions => "auctions",
            Table::Bids => "bids",
        }
    }

    /// How many of the first `events` events are rows of this table.
    pub fn rows(self, events: u64) -> u64 {
        let (first, per_cycle) = self.place();
        events / CYCLE * per_cycle + (events % CYCLE).saturating_sub(first).min(per_cycle)
    }

    /// The number of the event that is row `row` of this table.
    pub fn event(self, row: u64) -> u64 {
        let (first, per_cycle) = self.place();
        row / per_cycle * CYCLE + first + row % per_cycle
    }

    /// Where in a cycle the rows of this table start, and how many there are.
    fn place(self) -> (u64, u64) {
        match self {
            Table::Persons => (0, PERSONS),
            Table::Auctions => (PERSONS, AUCTIONS),
            Table::Bids => (FIRST_BID, BIDS),
        }
    }
}

/// Makes events: the same seed, rate and number give the same event, on every machine and in any order.
///
/// ```
/// use dualgauge_nexmark::{Generator, START, Table};
///
/// let generator = Generator::new(42, 10_000);
/// let bid = generator.bid(Table::Bids.event(0));
/// assert_eq!(bid, Generator::new(42, 10_000).bid(4));
/// assert_eq!(generator.time(10_000) - START, "1s".parse().unwrap());
/// ```
#[derive(Clone, Debug)]
pub struct Generator {
    seed: u64,
    rate: u64,
}

impl Generator {
    /// A generator of `rate` events a second of event time.
    ///
    /// # Panics
    /// When `rate` is zero.
    pub fn new(seed: u64, rate: u64) -> Generator {
        assert!(rate > 0, "events happen at some rate, not at 0 a second");
        Generator { seed, rate }
    }

    /// When event `number` happens, in whole milliseconds; never before the event with the previous number.
    pub fn time(&self, number: u64) -> EventTime {
        let millis = u128::from(number) * 1000 / u128::from(self.rate);
        EventTime::from_micros(START.as_micros() + millis as i64 * 1000)
    }

    /// Event `number`, as a bid.
    ///
    /// # Panics
    /// When it is not one; see [`Table::of`].
    pub fn bid(&self, number: u64) -> Bid {
        check(number, Table::Bids);
        let random = &mut self.random(number);
        let auction = match random.below(2) {
            0 => random.recent(Table::Auctions, number, AUCTIONS_OPEN),
            _ => hot(Table::Auctions, number),
        };
        let bidder = match random.below(4) {
            0 => random.recent(Table::Persons, number, PERSONS_ACTIVE),
            _ => hot(Table::Persons, number) + 1, // the hot bidder is not the hot seller
        };
        let price = random.price();
        let (channel, url) = channel_and_url(random);
        let extra = padding(random, 4 * 8, BID_BYTES);
        Bid { auction, bidder, price, channel, url, date_time: self.time(number), extra }
    }

    /// Event `number`, as an auction.
    ///
    /// # Panics
    /// When it is not one; see [`Table::of`].
    pub fn auction(&self, number: u64) -> Auction {
        check(number, Table::Auctions);
        let random = &mut self.random(number);
        let seller = match random.below(4) {
            0 => random.recent(Table::Persons, number, PERSONS_ACTIVE),
            _ => hot(Table::Persons, number),
        };
        let (item_name, description) = (words(random, 20), words(random, 100));
        let initial_bid = random.price();
        let reserve = initial_bid + random.price();
        // On average as long as it takes for that many others to open, which keeps that many open.
        let date_time = self.time(number);
        let average = self.time(number + AUCTIONS_OPEN * CYCLE / AUCTIONS) - date_time;
        let millis = 1 + random.below((average.as_micros() as u64 / 1000 * 2).max(1));
        let category = 10 + random.below(5);
        let extra = padding(random, 7 * 8 + item_name.len() + description.len(), AUCTION_BYTES);
        Auction {
            id: newest(Table::Auctions, number),
            item_name,
            description,
            initial_bid,
            reserve,
            date_time,
            expires: date_time + Duration::from_micros(millis as i64 * 1000),
            seller,
            category,
            extra,
        }
    }

    /// Event `number`, as a person.
    ///
    /// # Panics
    /// When it is not one; see [`Table::of`].
    pub fn person(&self, number: u64) -> Person {
        check(number, Table::Persons);
        let random = &mut self.random(number);
        let name = format!("{} {}", random.pick(&FIRST_NAMES), random.pick(&LAST_NAMES));
        let mut email_address = String::new();
        push_letters(&mut email_address, random, 7);
        email_address.push('@');
        push_letters(&mut email_address, random, 5);
        email_address += ".com";
        let mut credit_card = String::new();
        for block in 0..4 {
            credit_card += if block > 0 { " " } else { "" };
            (0..4).for_each(|_| push_number(&mut credit_card, random.below(10)));
        }
        let (city, state) = (random.pick(&CITIES).to_owned(), random.pick(&STATES).to_owned());
        let size = 2 * 8 + name.len() + email_address.len() + credit_card.len() + city.len() + state.len();
        let extra = padding(random, size, PERSON_BYTES);
        let id = newest(Table::Persons, number);
        Person { id, name, email_address, credit_card, city, state, date_time: self.time(number), extra }
    }

    /// The bids among these events, in the order of their numbers.
    pub fn bids(&self, events: Range<u64>) -> impl Iterator<Item = Bid> {
        self.arrivals(Table::Bids, events, Duration::ZERO).map(|number| self.bid(number))
    }

    /// The auctions among these events, in the order of their numbers.
    pub fn auctions(&self, events: Range<u64>) -> impl Iterator<Item = Auction> {
        self.arrivals(Table::Auctions, events, Duration::ZERO).map(|number| self.auction(number))
    }

    /// The persons among these events, in the order of their numbers.
    pub fn persons(&self, events: Range<u64>) -> impl Iterator<Item = Person> {
        self.arrivals(Table::Persons, events, Duration::ZERO).map(|number| self.person(number))
    }

    /// The numbers of the rows of `table` among these events, in an order in which they may arrive: none arrives after
    /// an event that happened more than `disorder` later. Without disorder it is the order of the numbers.
    pub fn arrivals(&self, table: Table, events: Range<u64>, disorder: Duration) -> Arrivals {
        Arrivals::new(self.clone(), table, table.rows(events.start)..table.rows(events.end), disorder)
    }

    /// How long event `number` is on its way: up to `most`, in whole milliseconds.
    pub(crate) fn delay(&self, number: u64, most: Duration) -> Duration {
        let millis = most.as_micros().max(0) as u64 / 1000;
        let drawn = Random::new(!self.seed, number).below(millis + 1); // independent of what the event itself draws
        Duration::from_micros(drawn as i64 * 1000)
    }

    fn random(&self, number: u64) -> Random {
        Random::new(self.seed, number)
    }
}

impl Random {
    /// An id among the `count` newest of a table, or a little ahead of them.
    fn recent(&mut self, table: Table, number: u64, count: u64) -> u64 {
        let newest = newest(table, number);
        let oldest = newest.saturating_sub(count).max(FIRST_ID);
        oldest + self.below(newest - oldest + 1 + ID_LEAD)
    }
}

/// The id of the newest row of a table when event `number` happens.
fn newest(table: Table, number: u64) -> u64 {
    FIRST_ID + table.rows(number + 1).saturating_sub(1)
}

/// The id that is hot when event `number` happens.
fn hot(table: Table, number: u64) -> u64 {
    (newest(table, number) - FIRST_ID) / HOT_EVERY * HOT_EVERY + FIRST_ID
}

fn check(number: u64, table: Table) {
    let other = Table::of(number);
    assert!(other == table, "event {number} is a row of {}, not of {}", other.name(), table.name());
}
