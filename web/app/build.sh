#!/bin/sh
# Bundles the web client. Run it after a change to src, to schema.graphql or to the versions in package.json. It needs
# Node 20 or newer. The output is committed, so that building the server needs neither Node nor the network.
set -eu
cd "$(dirname "$0")"
npm ci --ignore-scripts --no-audit --no-fund
npm run check
npm test
rm -rf dist
npm run build
node pack.js
