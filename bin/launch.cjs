'use strict';
// Kept in old syntax, since the machine's Node that runs this may be far too old for anything else of vmplug.
var path = require('path');

var root = path.join(__dirname, '..');
var version = process.versions.node.split('.').map(Number);

if (version[0] > 24 || (version[0] === 24 && version[1] >= 15)) {
  var main = path.join(root, 'dist', 'bin', 'main.cjs');
  process.argv[1] = main;
  require(main);
} else {
  bringNode();
}

function bringNode() {
  var childProcess = require('child_process');
  var found = childProcess.spawnSync('sh', [path.join(root, 'tools', 'node.sh')], {
    stdio: ['inherit', 'pipe', 'inherit'],
    encoding: 'utf8',
  });
  if (found.status !== 0) {
    process.exitCode = 1;
    return;
  }
  var signals = ['SIGINT', 'SIGQUIT', 'SIGTERM', 'SIGHUP'];
  var child = childProcess.spawn(path.join(__dirname, 'vmplug'), process.argv.slice(2), { stdio: 'inherit' });
  var forward = signals.map(function (signal) {
    var handler = function () {
      // A terminal sends these two to the child as well.
      if (process.stdin.isTTY && (signal === 'SIGINT' || signal === 'SIGQUIT')) return;
      child.kill(signal);
    };
    process.on(signal, handler);
    return { signal: signal, handler: handler };
  });
  child.on('error', function (error) {
    process.stderr.write('vmplug: ' + error.message + '\n');
    process.exitCode = 1;
  });
  child.on('exit', function (code, signal) {
    forward.forEach(function (entry) {
      process.removeListener(entry.signal, entry.handler);
    });
    if (signal) {
      process.kill(process.pid, signal);
    } else {
      process.exitCode = code;
    }
  });
}
