// What is used of winston: bundled to one file, which shares what both parts rest on.
export { createLogger, format } from 'winston';
export { default as Transport } from 'winston-transport';
