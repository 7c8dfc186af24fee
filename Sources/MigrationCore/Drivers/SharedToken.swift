/// What only those know who see the same directory: a file's name and content, made at random.
package struct SharedToken: Codable, Hashable, Sendable {
    package let name: String
    package let value: String

    package init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

extension HostFacts {
    package func pool(_ name: String) -> PoolFacts? { pools.first { $0.name == name } }

    package mutating func note(_ token: SharedToken, inPool name: String) {
        for index in pools.indices where pools[index].name == name { pools[index].token = token }
    }
}
