// Package config reads the server's settings: from flags, from the environment,
// and from defaults, in that order of precedence.
//
// It owns the names, defaults and limits of the settings. It does not open or
// reach anything: a database that does not answer is not its concern.
//
// What always holds:
//   - A wrong setting is one line that names it as the caller wrote it, its
//     value, what is wrong and an example of what is right. Passwords are never
//     part of it.
//   - An empty environment variable is one that is not set.
//   - A variable that begins with COREHOUR_ and means nothing is an error, so
//     that a misspelt setting is not silently a default.
package config
