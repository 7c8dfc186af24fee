/// 16 hexadecimal digits, by which one thing that is made here is told from all others.
func randomDigits() -> String { String(UInt64.random(in: 1 << 60...UInt64.max), radix: 16) }
