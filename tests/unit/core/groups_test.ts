import assert from "node:assert/strict";
import fc from "../../support/dice.ts";
import { Groups } from "../../../src/core/groups.ts";

Deno.test("groups are a map to sets in order of arrival, whatever is done to them", () => {
  const key = fc.constantFrom("a", "b", "c");
  const value = fc.constantFrom("1", "2", "3", "4");
  const step = fc.oneof(
    fc.record({ do: fc.constant("add" as const), key, value }),
    fc.record({ do: fc.constant("delete" as const), key, value }),
    fc.record({ do: fc.constant("delete all" as const), key, value }),
  );
  fc.assert(fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
    const groups = new Groups<string, string>();
    const model = new Map<string, string[]>();
    for (const { do: what, key, value } of steps) {
      const others = (model.get(key) ?? []).filter((one) => one !== value);
      const had = model.get(key)?.includes(value) ?? false;
      if (what === "add") {
        groups.add(key, value);
        model.set(key, [...others, value]);
      } else if (what === "delete") {
        assert.equal(groups.delete(key, value), had);
        model.set(key, others);
      } else {
        assert.deepEqual(groups.deleteAll(key), model.get(key) ?? []);
        model.delete(key);
      }
      if (model.get(key)?.length === 0) model.delete(key);
      assert.equal(groups.size, model.size);
      assert.equal(groups.valueCount, [...model.values()].flat().length);
      for (const known of ["a", "b", "c"]) {
        const values = model.get(known) ?? [];
        assert.deepEqual(groups.valuesOf(known), values);
        assert.equal(groups.firstOf(known), values[0]);
        assert.equal(groups.countOf(known), values.length);
        assert.equal(groups.has(known), values.length > 0);
      }
    }
  }));
});
