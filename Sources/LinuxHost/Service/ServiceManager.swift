import CLinux
import Foundation

/// The service manager that started this process, if it wants to know (sd_notify(3)).
package enum ServiceManager {
    /// Sends a state such as `READY=1`; does nothing without a `NOTIFY_SOCKET`.
    package static func notify(_ state: String) {
        guard let path = ProcessInfo.processInfo.environment["NOTIFY_SOCKET"] else { return }
        _ = unsafe godwit_notify(path, state)
    }
}
