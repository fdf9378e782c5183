// Maps of non-empty sets.

export function addTo<K, V>(sets: Map<K, Set<V>>, key: K, value: V): void {
  const its = sets.get(key)
  if (its === undefined) sets.set(key, new Set([value]))
  else its.add(value)
}

export function dropFrom<K, V>(sets: Map<K, Set<V>>, key: K, value: V): void {
  const its = sets.get(key)
  its?.delete(value)
  if (its?.size === 0) sets.delete(key)
}
