"""GOOSE and sampled values of libiec61850 on an interface, under the orders of a test."""
import sys

from orders import serve, tell
from pyiec61850.goose import GoosePublisher, GooseSubscriber
from pyiec61850.sv import SVPublisher, SVSubscriber

interface = sys.argv[1]
publisher = None
subscribers = []


def on_goose(message):
    tell(
        event="goose", gocbRef=message.go_cb_ref, goId=message.go_id, datSet=message.data_set, appId=message.app_id,
        confRev=message.conf_rev, stNum=message.st_num, sqNum=message.sq_num, ndsCom=message.needs_commissioning,
        valid=message.is_valid, timeAllowedToLive=message.time_allowed_to_live, values=message.values,
    )


def subscribe(gocb_ref, app_id):
    subscriber = GooseSubscriber(interface, gocb_ref)
    subscriber.set_app_id(app_id)
    subscriber.set_listener(on_goose)
    subscriber.start()
    subscribers.append(subscriber)


def publisher_of(gocb_ref, go_id, data_set, app_id, conf_rev, mac, vlan_id, priority, time_allowed_to_live):
    global publisher
    publisher = GoosePublisher(interface)
    publisher.set_go_cb_ref(gocb_ref)
    publisher.set_go_id(go_id)
    publisher.set_data_set(data_set)
    publisher.set_app_id(app_id)
    publisher.set_conf_rev(conf_rev)
    publisher.set_dst_mac(bytes.fromhex(mac))
    publisher.set_vlan(vlan_id, priority)
    publisher.set_time_allowed_to_live(time_allowed_to_live)
    publisher.start()


def publish(values, changed):
    if changed:
        publisher.increase_st_num()
    publisher.publish(values)


def on_sv(message):
    tell(event="sv", svId=message.sv_id, smpCnt=message.smp_cnt, confRev=message.conf_rev, smpSynch=message.smp_synch, values=message.values)


def subscribe_sv(app_id, sv_id):
    subscriber = SVSubscriber(interface)
    subscriber.set_app_id(app_id)
    subscriber.set_sv_id(sv_id)
    subscriber.set_listener(on_sv)
    subscriber.start()
    subscribers.append(subscriber)


def publish_sv(sv_id, app_id, conf_rev, mac, vlan_id, priority, samples):
    sv = SVPublisher(interface)
    sv.set_sv_id(sv_id)
    sv.set_app_id(app_id)
    sv.set_conf_rev(conf_rev)
    sv.set_dst_mac(bytes.fromhex(mac))
    sv.set_vlan(vlan_id, priority)
    sv.set_num_entries(len(samples[0]))
    sv.start()
    for values in samples:
        sv.publish_samples(values)
    sv.stop()


serve({
    "subscribe": subscribe, "publisher": publisher_of, "publish": publish,
    "subscribeSv": subscribe_sv, "publishSv": publish_sv,
})
for each in subscribers:
    each.stop()
