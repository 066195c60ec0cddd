//! A tiny DNS server on loopback: SRV and A records as a test sets them, by UDP.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use hickory_proto::{
    op::{Message, OpCode, ResponseCode},
    rr::{
        Name, RData, Record, RecordType,
        rdata::{A, SRV},
    },
};
use tokio::{net::UdpSocket, task::AbortHandle};

#[derive(Default)]
struct Zone {
    /// Name → (port, target), in lower case and with the dot at the end.
    services: BTreeMap<String, Vec<(u16, String)>>,
    hosts: BTreeMap<String, Ipv4Addr>,
}

pub struct Dns {
    pub address: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    task: AbortHandle,
}

impl Dns {
    pub async fn start() -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let address = socket.local_addr().unwrap();
        let zone = Arc::new(Mutex::new(Zone::default()));
        let served = Arc::clone(&zone);
        let task = tokio::spawn(async move {
            let mut buffer = [0; 1500];
            loop {
                let Ok((length, from)) = socket.recv_from(&mut buffer).await else {
                    continue;
                };
                if let Some(answer) = answer(&served.lock().unwrap(), &buffer[..length]) {
                    let _gone = socket.try_send_to(&answer, from);
                }
            }
        })
        .abort_handle();
        Self {
            address,
            zone,
            task,
        }
    }

    /// The records of a name; none: the name is there without SRV records.
    pub fn service(&self, name: &str, records: &[(u16, &str)]) {
        let records = records.iter();
        let records = records.map(|(port, target)| (*port, (*target).to_owned()));
        let mut zone = self.zone.lock().unwrap();
        zone.services.insert(name.to_owned(), records.collect());
    }

    pub fn host(&self, name: &str) {
        let mut zone = self.zone.lock().unwrap();
        zone.hosts.insert(name.to_owned(), Ipv4Addr::LOCALHOST);
    }

    pub fn forget(&self, name: &str) {
        self.zone.lock().unwrap().services.remove(name);
    }
}

impl Drop for Dns {
    fn drop(&mut self) {
        self.task.abort();
    }
}

fn answer(zone: &Zone, question: &[u8]) -> Option<Vec<u8>> {
    let asked = Message::from_vec(question).ok()?;
    let query = asked.queries.first()?.clone();
    let name = query.name().to_ascii().to_lowercase();
    let mut answer = Message::response(asked.metadata.id, OpCode::Query);
    answer.metadata.recursion_available = true;
    let record = |data| Record::from_rdata(query.name().clone(), 1, data);
    let known = zone.services.contains_key(&name) || zone.hosts.contains_key(&name);
    if !known {
        answer.metadata.response_code = ResponseCode::NXDomain;
    }
    match query.query_type() {
        RecordType::SRV => {
            for (port, target) in zone.services.get(&name).into_iter().flatten() {
                let target = Name::from_ascii(target).unwrap();
                answer.add_answer(record(RData::SRV(SRV::new(0, 0, *port, target))));
            }
        }
        RecordType::A => {
            if let Some(host) = zone.hosts.get(&name) {
                answer.add_answer(record(RData::A(A(*host))));
            }
        }
        _ => {}
    }
    answer.add_query(query);
    answer.to_vec().ok()
}
