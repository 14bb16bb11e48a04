//! The three tables, with the columns that Nexmark files usually have.

use dualgauge_engine::{EventTime, record};

/// Somebody offers a price for what is auctioned.
#[record]
pub struct Bid {
    /// [`Auction::id`]; it may be one that opens a little later.
    pub auction: u64,
    /// [`Person::id`] of the bidder.
    pub bidder: u64,
    /// In cents.
    pub price: u64,
    /// Where the bidder came from.
    pub channel: String,
    /// The page from which the bid was made.
    pub url: String,
    /// When the bid was made.
    #[event_time]
    pub date_time: EventTime,
    /// Padding to the size that a bid usually has.
    pub extra: String,
}

/// Somebody puts something up for sale.
#[record]
pub struct Auction {
    /// Counted from 1000 in the order in which auctions open.
    pub id: u64,
    /// What is sold.
    pub item_name: String,
    /// More about it.
    pub description: String,
    /// The price that bids start at, in cents.
    pub initial_bid: u64,
    /// The price below which it is not sold, in cents.
    pub reserve: u64,
    /// When the auction opens.
    #[event_time]
    pub date_time: EventTime,
    /// When it closes.
    pub expires: EventTime,
    /// [`Person::id`] of the seller.
    pub seller: u64,
    /// One of five, from 10 to 14.
    pub category: u64,
    /// Padding to the size that an auction usually has.
    pub extra: String,
}

/// Somebody joins the auction house.
#[record]
pub struct Person {
    /// Counted from 1000 in the order in which people join.
    pub id: u64,
    /// First and last name.
    pub name: String,
    /// Not one that receives mail.
    pub email_address: String,
    /// Four times four digits.
    pub credit_card: String,
    /// A city of the American West.
    pub city: String,
    /// A state there, drawn independently of the city.
    pub state: String,
    /// When the person joined.
    #[event_time]
    pub date_time: EventTime,
    /// Padding to the size that a person usually has.
    pub extra: String,
}
