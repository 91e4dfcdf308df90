/*
 * Limits of a 64-bit Linux machine: those of src/limits.h, none lowered.
 * A board that is smaller defines here what src/limits.h lets it define.
 */
#ifndef BOARD_H
#define BOARD_H

#endif
