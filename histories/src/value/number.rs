//! Numbers that do not fit a machine word, exactly: they are neither rounded nor expanded.

use std::{cmp::Ordering, fmt};

use super::{Value, ValueError};

/// Largest power of ten that a number may be written with: larger ones are possible in a text, but of no practical use.
const MAX_EXPONENT: i64 = 1_000_000_000_000_000_000;
/// Maximum number of digits with which a whole number is written out; a longer one gets an exponent.
pub(super) const MAX_WRITTEN_DIGITS: i64 = 4096;
/// Maximum number of digits of a number in another base than ten, since it has to be converted.
const MAX_RADIX_DIGITS: usize = 4096;
/// Upper bound (exclusive) of both parts of a ratio.
const RATIO_LIMIT: u128 = 1 << 120;

/// Number outside the signed 64-bit integers. The kinds are those of Clojure's `=`: numbers of different kinds are
/// never equal.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Number {
    /// A whole number beyond 64 bits.
    Whole(Decimal),
    /// EDN's floating point, by its digits; in JSON, which has one kind of number, any number that is not whole.
    Float(Decimal),
    /// EDN's `M`.
    Exact(Decimal),
    /// EDN's `1/2`, in lowest terms.
    Ratio(Ratio),
    /// EDN's `##-Inf`.
    NegativeInfinity,
    /// EDN's `##Inf`.
    Infinity,
    /// EDN's `##NaN`, which equals nothing, not even itself: no history with it can be judged, and
    /// [`crate::HistoryBuilder`] rejects it.
    NotANumber,
}

/// Decimal number in canonical form: a sign, digits without zeros at either end, and a power of ten.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Decimal {
    is_negative: bool,
    /// Digits; empty for zero.
    digits: Box<str>,
    exponent: i64,
}

/// Fraction in lowest terms that is not a whole number.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ratio {
    is_negative: bool,
    numerator: u128,
    denominator: u128,
}

impl Value {
    /// Returns the number with this text in JSON: `1`, `1.0` and `1e0` are the same.
    ///
    /// # Errors
    /// Returns an error if the text is not a JSON number, or if its exponent exceeds 10¹⁸.
    pub fn from_json_number(text: &str) -> Result<Self, ValueError> {
        if let Some(number) = small(text) {
            return Ok(number);
        }
        let wrong = || ValueError::Number(text.to_owned());
        let unsigned = text.strip_prefix('-').unwrap_or(text);
        let (whole, fraction, exponent) = parts(unsigned).ok_or_else(wrong)?;
        let has_leading_zero = whole.len() > 1 && whole.starts_with('0');
        if has_leading_zero || fraction == Some("") {
            return Err(wrong());
        }
        let decimal = Decimal::new(text.starts_with('-'), whole, fraction.unwrap_or_default(), exponent.unwrap_or("0"))
            .ok_or_else(wrong)?;
        Ok(if decimal.is_whole() { decimal.into_whole() } else { Number::Float(decimal).into() })
    }

    /// Returns the number with this text in EDN: whole in any base, with `N`, a ratio, floating point, or exact with
    /// `M`. `##Inf`, `##-Inf` and `##NaN` are numbers too.
    ///
    /// # Errors
    /// Returns an error if the text is not a number in EDN, or exceeds the limits of this reader.
    pub fn from_edn_number(text: &str) -> Result<Self, ValueError> {
        small(text).or_else(|| edn(text)).ok_or_else(|| ValueError::Number(text.to_owned()))
    }

    /// Returns a whole number.
    pub fn from_u64(number: u64) -> Self {
        Decimal::new(false, &number.to_string(), "", "0").expect("it is digits").into_whole()
    }

    /// Returns a floating-point number as JSON has it: whole if its value is, whatever its type.
    pub fn from_f64(number: f64) -> Self {
        match number {
            f64::INFINITY => Number::Infinity.into(),
            f64::NEG_INFINITY => Number::NegativeInfinity.into(),
            _ if number.is_nan() => Number::NotANumber.into(),
            _ => Self::from_json_number(&format!("{number:e}")).expect("it is printed as a number"),
        }
    }

    /// Returns the nearest floating-point number, if the value is a number.
    pub fn as_f64(&self) -> Option<f64> {
        match self {
            Self::Int(number) => number.to_string().parse().ok(),
            Self::Number(number) => match &**number {
                Number::Whole(decimal) | Number::Float(decimal) | Number::Exact(decimal) => {
                    let sign = if decimal.is_negative { "-" } else { "" };
                    format!("{sign}0{}e{}", decimal.digits, decimal.exponent).parse().ok()
                }
                Number::Ratio(ratio) => {
                    let part = |part: u128| part.to_string().parse::<f64>().ok();
                    let size = part(ratio.numerator)? / part(ratio.denominator)?;
                    Some(if ratio.is_negative { -size } else { size })
                }
                Number::NegativeInfinity => Some(f64::NEG_INFINITY),
                Number::Infinity => Some(f64::INFINITY),
                Number::NotANumber => Some(f64::NAN),
            },
            _ => None,
        }
    }
}

impl From<Number> for Value {
    fn from(number: Number) -> Self {
        Self::Number(Box::new(number))
    }
}

/// Parses a whole number of at most 18 digits, as most are.
fn small(text: &str) -> Option<Value> {
    let is_plain = is_digits(text) && text.len() <= 18 && (text.len() == 1 || !text.starts_with('0'));
    is_plain.then(|| Value::Int(text.bytes().fold(0, |number, digit| number * 10 + i64::from(digit - b'0'))))
}

/// Returns the parts of a number without sign: before the point, between point and exponent, and the exponent.
fn parts(text: &str) -> Option<(&str, Option<&str>, Option<&str>)> {
    let (mantissa, exponent) = match text.find(['e', 'E']) {
        Some(at) => (&text[..at], Some(&text[at + 1..])),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').map_or((mantissa, None), |(whole, rest)| (whole, Some(rest)));
    let power = exponent.map(|exponent| exponent.strip_prefix(['+', '-']).unwrap_or(exponent));
    let is_good = is_digits(whole) && fraction.is_none_or(|part| part.is_empty() || is_digits(part));
    (is_good && power.is_none_or(is_digits)).then_some((whole, fraction, exponent))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Parses a number by the patterns of Clojure's reader.
fn edn(text: &str) -> Option<Value> {
    match text {
        "##Inf" => return Some(Number::Infinity.into()),
        "##-Inf" => return Some(Number::NegativeInfinity.into()),
        "##NaN" => return Some(Number::NotANumber.into()),
        _ => {}
    }
    let is_negative = text.starts_with('-');
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if let Some((numerator, denominator)) = unsigned.split_once('/') {
        return ratio(is_negative, numerator, denominator);
    }
    let whole = unsigned.strip_suffix('N').unwrap_or(unsigned);
    if let Some(digits) = whole.strip_prefix("0x").or_else(|| whole.strip_prefix("0X")) {
        return in_base(is_negative, digits, 16);
    }
    if is_digits(whole) && (whole.len() == 1 || !whole.starts_with('0')) {
        return Decimal::new(is_negative, whole, "", "0").map(Decimal::into_whole);
    }
    if is_digits(whole) {
        return in_base(is_negative, &whole[1..], 8);
    }
    if let Some((base, digits)) = whole.split_once(['r', 'R']) {
        let is_base = is_digits(base) && base.len() <= 2 && !base.starts_with('0');
        let base = base.parse().ok().filter(|base| is_base && (2..=36).contains(base))?;
        return in_base(is_negative, digits, base);
    }
    let is_exact = unsigned.ends_with('M');
    let (whole, fraction, exponent) = parts(unsigned.strip_suffix('M').unwrap_or(unsigned))?;
    if !is_exact && fraction.is_none() && exponent.is_none() {
        return None;
    }
    let decimal = Decimal::new(is_negative, whole, fraction.unwrap_or_default(), exponent.unwrap_or("0"))?;
    Some(if is_exact { Number::Exact(decimal) } else { Number::Float(decimal) }.into())
}

fn ratio(is_negative: bool, numerator: &str, denominator: &str) -> Option<Value> {
    let part = |text: &str| {
        let number: u128 = text.parse().ok().filter(|_| is_digits(text))?;
        (number < RATIO_LIMIT).then_some(number)
    };
    let (numerator, denominator) = (part(numerator)?, part(denominator)?);
    if denominator == 0 {
        return None;
    }
    let (mut divisor, mut rest) = (numerator, denominator);
    while rest != 0 {
        (divisor, rest) = (rest, divisor % rest);
    }
    let (numerator, denominator) = (numerator / divisor, denominator / divisor);
    if denominator == 1 {
        return Decimal::new(is_negative, &numerator.to_string(), "", "0").map(Decimal::into_whole);
    }
    Some(Number::Ratio(Ratio { is_negative, numerator, denominator }).into())
}

/// Parses a whole number in another base than ten.
fn in_base(is_negative: bool, digits: &str, base: u32) -> Option<Value> {
    /// Base of a place: nine decimal digits.
    const PLACE: u64 = 1_000_000_000;
    if digits.is_empty() {
        return None;
    }
    let digits = digits.trim_start_matches('0');
    if digits.len() > MAX_RADIX_DIGITS {
        return None;
    }
    // The least significant place comes first.
    let mut places: Vec<u64> = vec![0];
    for digit in digits.chars() {
        let mut carry = u64::from(digit.to_digit(base)?);
        for place in &mut places {
            carry += *place * u64::from(base);
            *place = carry % PLACE;
            carry /= PLACE;
        }
        if carry > 0 {
            places.push(carry);
        }
    }
    let mut text = places.pop().unwrap_or_default().to_string();
    text.extend(places.iter().rev().map(|place| format!("{place:09}")));
    Decimal::new(is_negative, &text, "", "0").map(Decimal::into_whole)
}

impl Decimal {
    /// Returns the number with these digits before and behind the point, times a power of ten; none if that power
    /// exceeds the limit.
    fn new(is_negative: bool, whole: &str, fraction: &str, exponent: &str) -> Option<Self> {
        let is_zero = |part: &str| part.bytes().all(|byte| byte == b'0');
        if is_zero(whole) && is_zero(fraction) {
            return Some(Self { is_negative: false, digits: "".into(), exponent: 0 });
        }
        let exponent: i64 = exponent.strip_prefix('+').unwrap_or(exponent).parse().ok()?;
        if exponent.unsigned_abs() > MAX_EXPONENT.unsigned_abs() {
            return None;
        }
        let all = [whole, fraction].concat();
        let digits = all.trim_end_matches('0');
        let dropped = i64::try_from(all.len() - digits.len()).ok()?;
        let exponent = exponent - i64::try_from(fraction.len()).ok()? + dropped;
        Some(Self { is_negative, digits: digits.trim_start_matches('0').into(), exponent })
    }

    fn is_whole(&self) -> bool {
        self.exponent >= 0
    }

    /// Returns true if the number is below zero.
    pub fn is_negative(&self) -> bool {
        self.is_negative
    }

    fn is_zero(&self) -> bool {
        self.digits.is_empty()
    }

    /// Returns the number of digits before the point; if it is negative, the number of zeros right behind the point.
    fn point(&self) -> i64 {
        i64::try_from(self.digits.len()).expect("a text has fewer bytes than 2^63") + self.exponent
    }

    /// Returns a whole number as a value.
    fn into_whole(self) -> Value {
        let written = (self.point() <= 19).then(|| self.to_string());
        match written.and_then(|text| text.parse().ok()) {
            Some(number) => Value::Int(number),
            None => Number::Whole(self).into(),
        }
    }

    fn of(number: i64) -> Self {
        let digits = number.unsigned_abs().to_string();
        Self::new(number < 0, &digits, "", "0").expect("it is digits")
    }

    /// Returns true if the number is whole and short enough to be written out.
    pub(super) fn is_written_out(&self) -> bool {
        self.is_whole() && self.point() <= MAX_WRITTEN_DIGITS
    }

    /// Writes the number in a form that all formats read; a whole one with `.0` if `as_float`.
    fn write(&self, f: &mut fmt::Formatter<'_>, as_float: bool) -> fmt::Result {
        let (digits, point) = (&*self.digits, self.point());
        let most = if as_float { 21 } else { MAX_WRITTEN_DIGITS };
        let zeros = |count: i64| "0".repeat(usize::try_from(count).unwrap_or(0));
        if self.is_negative {
            f.write_str("-")?;
        }
        if self.is_zero() {
            return f.write_str(if as_float { "0.0" } else { "0" });
        }
        if self.is_whole() && point <= most {
            return write!(f, "{digits}{}{}", zeros(self.exponent), if as_float { ".0" } else { "" });
        }
        if !self.is_whole() && point > 0 {
            let (whole, fraction) = digits.split_at(usize::try_from(point).expect("it is within the digits"));
            return write!(f, "{whole}.{fraction}");
        }
        if !self.is_whole() && point > -6 {
            return write!(f, "0.{}{digits}", zeros(-point));
        }
        let (first, rest) = digits.split_at(1);
        write!(f, "{first}{}{rest}e{}", if rest.is_empty() { "" } else { "." }, point - 1)
    }
}

/// Formats a decimal as plain digits, if it is not too long.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write(f, false)
    }
}

/// Formats a number as EDN; a whole number that is too long to be written out gets an exponent, as in JSON.
impl fmt::Display for Number {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole(decimal) => decimal.write(f, false),
            Self::Float(decimal) => decimal.write(f, true),
            Self::Exact(decimal) => {
                decimal.write(f, true)?;
                f.write_str("M")
            }
            Self::Ratio(Ratio { is_negative, numerator, denominator }) => {
                write!(f, "{}{numerator}/{denominator}", if *is_negative { "-" } else { "" })
            }
            Self::NegativeInfinity => f.write_str("##-Inf"),
            Self::Infinity => f.write_str("##Inf"),
            Self::NotANumber => f.write_str("##NaN"),
        }
    }
}

impl Number {
    /// Returns true if JSON can represent the number.
    pub(super) fn is_json(&self) -> bool {
        match self {
            Self::Whole(_) => true,
            Self::Float(decimal) => !decimal.is_whole(),
            _ => false,
        }
    }

    fn kind(&self) -> u8 {
        match self {
            Self::Whole(_) => 0,
            Self::Float(_) => 1,
            Self::Exact(_) => 2,
            Self::Ratio(_) => 3,
            Self::NegativeInfinity => 4,
            Self::Infinity => 5,
            Self::NotANumber => 6,
        }
    }

    /// Returns −1, 0, 1 or 2 for minus infinity, a finite number, infinity and NaN, which are ordered so.
    fn side(&self) -> i8 {
        match self {
            Self::NegativeInfinity => -1,
            Self::Infinity => 1,
            Self::NotANumber => 2,
            _ => 0,
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Orders numbers by their exact size, and those of equal size by kind.
impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        self.side().cmp(&other.side()).then_with(|| by_size(self, other)).then_with(|| self.kind().cmp(&other.kind()))
    }
}

/// Compares a signed 64-bit integer with another number.
pub(super) fn compare(small: i64, other: &Number) -> Ordering {
    // Among numbers of equal size, this kind comes first.
    Number::Whole(Decimal::of(small)).cmp(other)
}

fn by_size(one: &Number, other: &Number) -> Ordering {
    match (size(one), size(other)) {
        (Some(Size::Decimal(a)), Some(Size::Decimal(b))) => signed(a.sign(), b.sign(), || by_digits(a, b)),
        (Some(Size::Ratio(a)), Some(Size::Ratio(b))) => {
            signed(a.sign(), b.sign(), || by_parts([a.numerator, a.denominator], [b.numerator, b.denominator]))
        }
        (Some(Size::Ratio(a)), Some(Size::Decimal(b))) => signed(a.sign(), b.sign(), || by_division(a, b)),
        (Some(Size::Decimal(a)), Some(Size::Ratio(b))) => signed(a.sign(), b.sign(), || by_division(b, a).reverse()),
        _ => Ordering::Equal,
    }
}

enum Size<'a> {
    Decimal(&'a Decimal),
    Ratio(&'a Ratio),
}

fn size(number: &Number) -> Option<Size<'_>> {
    match number {
        Number::Whole(decimal) | Number::Float(decimal) | Number::Exact(decimal) => Some(Size::Decimal(decimal)),
        Number::Ratio(ratio) => Some(Size::Ratio(ratio)),
        Number::NegativeInfinity | Number::Infinity | Number::NotANumber => None,
    }
}

impl Decimal {
    fn sign(&self) -> i8 {
        if self.is_zero() { 0 } else { 1 - 2 * i8::from(self.is_negative) }
    }
}

impl Ratio {
    fn sign(&self) -> i8 {
        1 - 2 * i8::from(self.is_negative)
    }
}

/// Compares two numbers by their signs, and if these are equal, by their absolute values.
fn signed(one: i8, other: i8, sizes: impl FnOnce() -> Ordering) -> Ordering {
    one.cmp(&other).then_with(|| match one {
        0 => Ordering::Equal,
        1 => sizes(),
        _ => sizes().reverse(),
    })
}

fn by_digits(a: &Decimal, b: &Decimal) -> Ordering {
    a.point().cmp(&b.point()).then_with(|| a.digits.cmp(&b.digits))
}

/// Compares two fractions by the quotients of Euclid's algorithm, as products could overflow.
fn by_parts([mut a, mut b]: [u128; 2], [mut c, mut d]: [u128; 2]) -> Ordering {
    loop {
        let order = (a / b).cmp(&(c / d));
        let (one, other) = (a % b, c % d);
        if order.is_ne() || one == 0 || other == 0 {
            return order.then(one.cmp(&other));
        }
        (a, b, c, d) = (d, other, b, one);
    }
}

/// Compares a ratio, by the digits of a long division, with the digits of a decimal.
fn by_division(ratio: &Ratio, decimal: &Decimal) -> Ordering {
    let whole = (ratio.numerator / ratio.denominator).to_string();
    let mut rest = ratio.numerator % ratio.denominator;
    let mut whole = whole.trim_start_matches('0').bytes();
    let mut point = i64::try_from(whole.len()).expect("a word has few digits");
    if point == 0 {
        while rest * 10 < ratio.denominator {
            rest *= 10;
            point -= 1;
        }
    }
    let mut next = || {
        whole.next().unwrap_or_else(|| {
            rest *= 10;
            let digit = u8::try_from(rest / ratio.denominator).expect("it is a digit");
            rest %= ratio.denominator;
            b'0' + digit
        })
    };
    let order = point.cmp(&decimal.point());
    if order.is_ne() {
        return order;
    }
    let digits = decimal.digits.bytes().map(|digit| next().cmp(&digit)).find(|order| order.is_ne());
    // The digits of the ratio may go on where those of the decimal end.
    digits.unwrap_or_else(|| {
        if whole.any(|digit| digit != b'0') || rest > 0 { Ordering::Greater } else { Ordering::Equal }
    })
}
