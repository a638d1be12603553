// What stands of a machine's alarms, in words.
import { tag } from "./dom.js";

export const WORDS = {
  unacknowledged: "not acknowledged", acknowledged: "acknowledged", returned_unacknowledged: "over, not acknowledged",
  latched: "over, waits for a reset", shelved: "shelved", out_of_service: "out of service",
};
const RANK = ["unacknowledged", "returned_unacknowledged", "latched", "acknowledged", "shelved", "out_of_service"];

export function inOrder(alarms) {
  return [...alarms].sort((a, b) => RANK.indexOf(a.state) - RANK.indexOf(b.state) || b.changed_s - a.changed_s);
}

export function alarmsOf(machine, alarms) {
  return inOrder(alarms.filter((alarm) => alarm.machine === machine || alarm.machines.includes(machine)));
}

// The most urgent of a machine's alarms, for its card.
export function standingWord(machine, alarms) {
  const [first] = alarmsOf(machine, alarms);
  return first ? tag(first.state, `alarm ${WORDS[first.state] || first.state}`) : null;
}
