//! The four systems, and their files.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::Arc;

use anyhow::Result;
use arrow::array::{
    ArrayRef, Date32Array, Int64Array, RecordBatch, StringArray, TimestampMillisecondArray,
};
use arrow::ipc::writer::FileWriter;
use jiff::civil::{Date, date};
use parquet::arrow::ArrowWriter;

use super::Person;
use super::draw::Draw;
use super::record::{CrmRecord, LoyaltyRecord, ShopRecord, SupportRecord};

/// All records of all systems, and whose they are.
#[derive(Debug, Default)]
pub(super) struct SystemFiles {
    crm: Vec<CrmRecord>,
    shop: Vec<ShopRecord>,
    support: Vec<SupportRecord>,
    loyalty: Vec<LoyaltyRecord>,
    /// Source, key and the number of the person.
    truth: Vec<(&'static str, String, usize)>,
}

impl SystemFiles {
    /// Lets people meet the systems.
    pub(super) fn of(people: &[Person], seed: u64) -> Self {
        let mut draw = Draw::new(seed ^ 0x5a5a);
        let mut files = Self::default();
        for person in people {
            files.meet(&mut draw, person);
        }
        files
    }

    fn meet(&mut self, draw: &mut Draw, person: &Person) {
        if draw.percent(75) {
            let record = CrmRecord::new(draw, self.crm.len() + 1, person);
            self.truth.push(("crm", record.id.clone(), person.number));
            self.crm.push(record);
        }
        let accounts = if draw.percent(65) {
            1 + usize::from(draw.percent(20))
        } else {
            0
        };
        for _ in 0..accounts {
            let record = ShopRecord::new(draw, self.shop.len() + 1, person);
            self.truth
                .push(("shop", record.customer_no.to_string(), person.number));
            self.shop.push(record);
        }
        let tickets = if draw.percent(40) {
            draw.between(1, 3)
        } else {
            0
        };
        for _ in 0..tickets {
            let record = SupportRecord::new(draw, self.support.len() + 1, person);
            self.truth
                .push(("support", record.ticket.clone(), person.number));
            self.support.push(record);
        }
        if draw.percent(50) {
            let record = LoyaltyRecord::new(draw, self.loyalty.len() + 1, person);
            self.truth
                .push(("loyalty", record.member_no.to_string(), person.number));
            self.loyalty.push(record);
        }
    }

    /// Returns how many records each system holds.
    pub(super) fn counts(&self) -> Vec<(&'static str, usize)> {
        vec![
            ("crm", self.crm.len()),
            ("shop", self.shop.len()),
            ("support", self.support.len()),
            ("loyalty", self.loyalty.len()),
        ]
    }

    /// Returns the records of somebody whom all four systems know, and support by another name.
    pub(super) fn guest(&self, people: &[Person]) -> Vec<(&'static str, String)> {
        let mut records: BTreeMap<usize, Vec<(&'static str, String)>> = BTreeMap::new();
        for (source, key, person) in &self.truth {
            let of_person = records.entry(*person).or_default();
            of_person.push((source, key.clone()));
        }
        records.retain(|_, records| {
            let knows = |name| records.iter().any(|(source, _)| *source == name);
            ["crm", "shop", "support", "loyalty"].into_iter().all(knows)
        });
        let has_nickname = |person: &usize| {
            let ticket = records[person]
                .iter()
                .find(|(source, _)| *source == "support");
            let of_ticket =
                |record: &&SupportRecord| Some(&record.ticket) == ticket.map(|(_, key)| key);
            let given = people[*person].given.to_lowercase();
            let requester = self
                .support
                .iter()
                .find(of_ticket)
                .map(|record| &record.requester);
            requester.is_some_and(|requester| !requester.to_lowercase().contains(&given))
        };
        let guest = records.keys().copied().find(has_nickname);
        guest
            .and_then(|guest| records.remove(&guest))
            .unwrap_or_default()
    }

    /// Writes every system in a format of its own, and the truth beside them.
    pub(super) fn write(&self, folder: &Path) -> Result<()> {
        let mut crm = csv::Writer::from_path(folder.join("crm.csv"))?;
        self.crm
            .iter()
            .try_for_each(|record| crm.serialize(record))?;
        crm.flush()?;
        let mut shop = BufWriter::new(File::create(folder.join("shop.ndjson"))?);
        for record in &self.shop {
            writeln!(shop, "{}", serde_json::to_string(record)?)?;
        }
        shop.flush()?;
        self.write_support(&folder.join("support.parquet"))?;
        self.write_loyalty(&folder.join("loyalty.arrow"))?;
        let mut truth = csv::Writer::from_path(folder.join("truth.csv"))?;
        truth.write_record(["source", "key", "entity"])?;
        for (source, key, person) in &self.truth {
            let entity = format!("person-{person:04}");
            truth.write_record([source, key.as_str(), entity.as_str()])?;
        }
        truth.flush()?;
        Ok(())
    }

    fn write_support(&self, path: &Path) -> Result<()> {
        let rows = &self.support;
        let opened =
            TimestampMillisecondArray::from_iter_values(rows.iter().map(|r| r.opened_at_ms));
        let columns: [(&str, ArrayRef); 5] = [
            (
                "ticket",
                texts(rows.iter().map(|r| Some(r.ticket.as_str()))),
            ),
            (
                "requester",
                texts(rows.iter().map(|r| Some(r.requester.as_str()))),
            ),
            (
                "contact_email",
                texts(rows.iter().map(|r| r.contact_email.as_deref())),
            ),
            (
                "callback",
                texts(rows.iter().map(|r| r.callback.as_deref())),
            ),
            ("opened_at", Arc::new(opened)),
        ];
        let batch = RecordBatch::try_from_iter(columns)?;
        let mut writer = ArrowWriter::try_new(File::create(path)?, batch.schema(), None)?;
        writer.write(&batch)?;
        writer.close()?;
        Ok(())
    }

    fn write_loyalty(&self, path: &Path) -> Result<()> {
        let rows = &self.loyalty;
        let days = rows.iter().map(|r| r.dob.map(days_since_1970));
        let columns: [(&str, ArrayRef); 8] = [
            (
                "member_no",
                Arc::new(Int64Array::from_iter_values(
                    rows.iter().map(|r| r.member_no),
                )),
            ),
            ("given", texts(rows.iter().map(|r| Some(r.given.as_str())))),
            (
                "family",
                texts(rows.iter().map(|r| Some(r.family.as_str()))),
            ),
            ("dob", Arc::new(days.collect::<Date32Array>())),
            ("mail", texts(rows.iter().map(|r| r.mail.as_deref()))),
            (
                "telephone",
                texts(rows.iter().map(|r| r.telephone.as_deref())),
            ),
            (
                "address",
                texts(rows.iter().map(|r| Some(r.address.as_str()))),
            ),
            (
                "postcode",
                texts(rows.iter().map(|r| Some(r.postcode.as_str()))),
            ),
        ];
        let batch = RecordBatch::try_from_iter_with_nullable(
            columns.map(|(name, column)| (name, column, true)),
        )?;
        let mut writer = FileWriter::try_new(File::create(path)?, &batch.schema())?;
        writer.write(&batch)?;
        writer.finish()?;
        Ok(())
    }
}

fn texts<'t>(column: impl Iterator<Item = Option<&'t str>>) -> ArrayRef {
    Arc::new(column.collect::<StringArray>())
}

fn days_since_1970(day: Date) -> i32 {
    (day - date(1970, 1, 1)).get_days()
}
