// MULT9X9 and MULT18X18 of the Gowin GW1N and GW2A, as far as Sluice uses them, after the description
// in Gowin UG287 (DSP User Guide): registers of A, of what lies between, and of the product, that
// are never reset and always enabled. Any other use ends the simulation.
module MULT9X9 (
    input [8:0] A, SIA, B, SIB,
    input ASIGN, BSIGN, ASEL, BSEL, CE, CLK, RESET,
    output [17:0] DOUT
);
    parameter AREG = 1'b0;
    parameter BREG = 1'b0;
    parameter OUT_REG = 1'b0;
    parameter PIPE_REG = 1'b0;
    parameter ASIGN_REG = 1'b0;
    parameter BSIGN_REG = 1'b0;
    parameter SOA_REG = 1'b0;
    parameter MULT_RESET_MODE = "SYNC";

    initial begin
        if (BREG !== 0 || ASIGN_REG !== 0 || BSIGN_REG !== 0 || SOA_REG !== 0
            || MULT_RESET_MODE != "SYNC")
            $fatal(1, "MULT9X9: the model has no such register");
    end

    reg [8:0] a_taken = 0;
    reg [17:0] product_between = 0, product_out = 0;

    wire [8:0] a = AREG ? a_taken : A;
    wire signed [9:0] a_used = {ASIGN & a[8], a};
    wire signed [9:0] b_used = {BSIGN & B[8], B};
    wire signed [19:0] product = a_used * b_used;
    wire [17:0] later = PIPE_REG ? product_between : product[17:0];

    always @(posedge CLK) begin
        if (ASEL !== 0 || BSEL !== 0 || CE !== 1 || RESET !== 0)
            $fatal(1, "MULT9X9: the model has no such input");
        a_taken <= A;
        product_between <= product[17:0];
        product_out <= later;
    end

    assign DOUT = OUT_REG ? product_out : later;
endmodule

module MULT18X18 (
    input [17:0] A, SIA, B, SIB,
    input ASIGN, BSIGN, ASEL, BSEL, CE, CLK, RESET,
    output [35:0] DOUT
);
    parameter AREG = 1'b0;
    parameter BREG = 1'b0;
    parameter OUT_REG = 1'b0;
    parameter PIPE_REG = 1'b0;
    parameter ASIGN_REG = 1'b0;
    parameter BSIGN_REG = 1'b0;
    parameter SOA_REG = 1'b0;
    parameter MULT_RESET_MODE = "SYNC";

    initial begin
        if (BREG !== 0 || ASIGN_REG !== 0 || BSIGN_REG !== 0 || SOA_REG !== 0
            || MULT_RESET_MODE != "SYNC")
            $fatal(1, "MULT18X18: the model has no such register");
    end

    reg [17:0] a_taken = 0;
    reg [35:0] product_between = 0, product_out = 0;

    wire [17:0] a = AREG ? a_taken : A;
    wire signed [18:0] a_used = {ASIGN & a[17], a};
    wire signed [18:0] b_used = {BSIGN & B[17], B};
    wire signed [37:0] product = a_used * b_used;
    wire [35:0] later = PIPE_REG ? product_between : product[35:0];

    always @(posedge CLK) begin
        if (ASEL !== 0 || BSEL !== 0 || CE !== 1 || RESET !== 0)
            $fatal(1, "MULT18X18: the model has no such input");
        a_taken <= A;
        product_between <= product[35:0];
        product_out <= later;
    end

    assign DOUT = OUT_REG ? product_out : later;
endmodule
